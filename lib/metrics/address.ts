/**
 * Resolves a host name with Node's own resolver.
 *
 * The system's resolver, which `dns.lookup` uses, runs on a thread that cannot be cancelled: a name
 * server that does not answer delays the end of the process by up to ten seconds, and meanwhile
 * occupies one of the few threads that callbacks need as well. Node's own resolver knows neither the
 * hosts file nor search domains, so both are read here.
 *
 * @module
 */

import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP, isIPv4 } from 'node:net'

export interface ResolverFiles {
  readonly hosts: string
  readonly resolvConf: string
}

const SYSTEM_FILES: ResolverFiles = { hosts: '/etc/hosts', resolvConf: '/etc/resolv.conf' }

const RESOLVER = { timeout: 2_000, tries: 2 }

/**
 * @param host a name or an address; an IPv6 address with or without brackets
 * @returns an IPv4 address; an IPv6 address when there is no other
 * @throws {Error} when it cannot be resolved
 */
export async function resolveAddress(host: string, files = SYSTEM_FILES): Promise<string> {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0) return bare
  const known = findInHosts(await readLines(files.hosts), host)
  if (known !== undefined) return known
  return await ask(host, searchDomains(await readLines(files.resolvConf)))
}

async function ask(host: string, domains: readonly string[]): Promise<string> {
  const resolver = new Resolver(RESOLVER)
  const names = host.endsWith('.')
    ? [host]
    : [host, ...domains.map((domain) => `${host}.${domain}`)]
  let first: unknown
  for (const name of names) {
    for (const look of [() => resolver.resolve4(name), () => resolver.resolve6(name)]) {
      try {
        const [address] = await look()
        if (address !== undefined) return address
      } catch (error) {
        first ??= error // about the name as it was given
      }
    }
  }
  throw first ?? new Error(`${host} has no address`)
}

/** @see hosts(5) */
function findInHosts(lines: readonly string[], host: string): string | undefined {
  const wanted = host.toLowerCase()
  const found = lines.flatMap((line) => {
    const [address = '', ...names] = line.split(/\s+/)
    const isIt = isIP(address) !== 0 && names.some((name) => name.toLowerCase() === wanted)
    return isIt ? [address] : []
  })
  return found.find((address) => isIPv4(address)) ?? found[0]
}

/** @see resolv.conf(5): the last of several lines counts */
function searchDomains(lines: readonly string[]): readonly string[] {
  const line = lines.findLast((it) => /^(search|domain)\s/.test(it))
  return line?.split(/\s+/).slice(1) ?? []
}

/** Without comments. */
async function readLines(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => '') // not every system has it
  return text.split('\n').map((line) => line.replace(/#.*$/, '').trim())
}

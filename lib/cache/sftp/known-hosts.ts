/**
 * What a `known_hosts` file says of one server. Pure.
 *
 * @see sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"
 * @module
 */

import { createHmac } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

export interface KnownKey {
  /** E.g. `ssh-ed25519`. */
  readonly type: string
  /** As it goes over the wire, in base64. */
  readonly key: string
}

const DEFAULT_PORT = 22

/** Between two turns of the event loop: a job's file may have a hundred thousand of them. */
const LINES_AT_ONCE = 500

/** @returns none when the file does not know the server: then any key will do */
export async function knownKeys(text: string, host: string, port: number): Promise<KnownKey[]> {
  const name = port === DEFAULT_PORT ? host : `[${host}]:${port}`
  const lines = text.split('\n')
  const known: KnownKey[] = []
  for (let at = 0; at < lines.length; at += LINES_AT_ONCE) {
    for (const line of lines.slice(at, at + LINES_AT_ONCE)) {
      // Lines that begin with a marker (@revoked, @cert-authority) have names of no server there.
      const [names = '', type, key] = line.trim().split(/\s+/)
      if (type === undefined || key === undefined || names.startsWith('#')) continue
      if (isNamed(names, name.toLowerCase())) known.push({ type, key })
    }
    await setImmediate()
  }
  return known
}

function isNamed(names: string, name: string): boolean {
  if (names.startsWith('|1|')) return isHashOf(names, name)
  const patterns = names.toLowerCase().split(',')
  if (patterns.some((it) => it.startsWith('!') && matches(it.slice(1), name))) return false
  return patterns.some((it) => matches(it, name))
}

/** `|1|SALT|HMAC-SHA1 of the name`, both in base64. */
function isHashOf(hashed: string, name: string): boolean {
  const [, , salt = '', hash] = hashed.split('|')
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
}

/**
 * By hand, and never further back than to the last `*`: as a regular expression, a pattern with many
 * of them can take longer than the universe lasts.
 */
function matches(pattern: string, name: string): boolean {
  let [at, inName, star, afterStar] = [0, 0, -1, 0]
  while (inName < name.length) {
    if (pattern[at] === '*') {
      star = at++
      afterStar = inName
    } else if (pattern[at] === '?' || (at < pattern.length && pattern[at] === name[inName])) {
      at++
      inName++
    } else if (star !== -1) {
      at = star + 1
      inName = ++afterStar
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

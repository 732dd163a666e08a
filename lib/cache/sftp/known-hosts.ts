/**
 * What a `known_hosts` file says of one server. Pure.
 *
 * @see sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"
 * @module
 */

import { createHmac } from 'node:crypto'

export interface KnownKey {
  /** E.g. `ssh-ed25519`. */
  readonly type: string
  /** As it goes over the wire, in base64. */
  readonly key: string
}

const DEFAULT_PORT = 22

/** @returns none when the file does not know the server: then any key will do */
export function knownKeys(text: string, host: string, port: number): KnownKey[] {
  const name = port === DEFAULT_PORT ? host : `[${host}]:${port}`
  return text.split('\n').flatMap((line) => {
    // Lines that begin with a marker (@revoked, @cert-authority) have names of no server there.
    const [names = '', type, key] = line.trim().split(/\s+/)
    if (type === undefined || key === undefined || names.startsWith('#')) return []
    return isNamed(names, name.toLowerCase()) ? [{ type, key }] : []
  })
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

function matches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`).test(name)
}

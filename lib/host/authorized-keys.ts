/**
 * A job's public keys in `~/.ssh/authorized_keys`, so that people can look at the job (see lib/access/README.md).
 *
 * @module
 */

import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { ContentError } from '../errors.ts'
import { decodeBase64 } from '../request/base64.ts'
import { identifySelf, lifeOf } from './agent-identity.ts'
import {
  addText,
  changeText,
  cutText,
  removeText,
  requireOwnHome,
  type SharedFile,
} from './shared-file.ts'

const NAME = '.ssh/authorized_keys'

const BLOCK_BEGIN = /^# job (\w+ of agent ([\w.]+))$/gm

const HEADER = '# created by the job agent, removed with the job\n'

/** A request's keys, as far as they can be used. */
export interface DecodedKeys {
  readonly lines: readonly string[]
  /** What is wrong with the others, e.g. `ssh_public_keys[1] is not base64`. */
  readonly problems: readonly string[]
}

/** One bad key locks nobody else out. */
export function decodeKeys(encoded: readonly string[]): DecodedKeys {
  const lines: string[] = []
  const problems: string[] = []
  for (const [index, key] of encoded.entries()) {
    try {
      lines.push(decodeKey(key, `ssh_public_keys[${index}]`))
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
    }
  }
  return { lines, problems }
}

/**
 * The text that will be added: known before it is, so that it can be found again after a crash.
 *
 * @param name tells these lines from those of other jobs with the same keys: letters and digits
 */
export function formatKeys(name: string, lines: readonly string[]): string {
  // Our own line break comes first: the line before may have none.
  const tag = `${name} of agent ${identifySelf()}`
  return `\n# job ${tag}\n${lines.join('\n')}\n# end of job ${tag}\n`
}

/** @throws {Error} of the file system */
export async function addKeys(home: string, text: string): Promise<void> {
  await requireOwnHome(home, NAME)
  await addText(keysIn(home), text)
  // sshd ignores keys that others could have changed.
  await chmod(join(home, '.ssh'), 0o700)
  await chmod(join(home, NAME), 0o600)
}

/** Takes them out again. Repeatable. @throws {Error} of the file system */
export async function removeKeys(home: string, text: string): Promise<void> {
  await removeText(keysIn(home), text)
}

/** Those of agents that have ended without taking them away, as when the power is cut. Repeatable. */
export async function removeDeadKeys(home: string): Promise<void> {
  await changeText(keysIn(home), (content) => {
    let rest = content
    for (const [begin, tag = '', identity = ''] of content.matchAll(BLOCK_BEGIN)) {
      const end = `\n# end of job ${tag}\n`
      const [start, stop] = [content.indexOf(`\n${begin}\n`), content.indexOf(end)]
      if (lifeOf(identity) !== 'dead' || start < 0 || stop < start) continue
      rest = cutText(rest, content.slice(start, stop + end.length))
    }
    return rest
  })
}

function keysIn(home: string): SharedFile {
  return { home, name: NAME, header: HEADER }
}

function decodeKey(encoded: string, field: string): string {
  const key = decodeBase64(encoded, field).toString().trim()
  if (!key.includes('\0')) return key
  throw new ContentError(`${field} has a NUL byte in it`, { hint: 'Send one public key, as text.' })
}

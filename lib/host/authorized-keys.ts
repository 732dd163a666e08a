/**
 * A job's public keys in `~/.ssh/authorized_keys`, so that people can look at the job (contract, section 9).
 *
 * @module
 */

import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { ContentError } from '../errors.ts'
import { makeDirectory } from '../make-directory.ts'
import { decodeBase64 } from '../request/base64.ts'
import { addText, removeText, type SharedFile } from './shared-file.ts'

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
 * @param tag tells these lines from those of other jobs with the same keys
 */
export function formatKeys(tag: string, lines: readonly string[]): string {
  // Our own line break comes first: the line before may have none.
  return `\n# job ${tag}\n${lines.join('\n')}\n# end of job ${tag}\n`
}

/** @throws {Error} of the file system */
export async function addKeys(home: string, text: string): Promise<void> {
  const directory = join(home, '.ssh')
  await makeDirectory(directory, 0o700)
  await chmod(directory, 0o700) // sshd ignores keys that others could have changed
  const file = keysIn(home)
  await addText(file, text)
  await chmod(file.path, 0o600)
}

/** Takes them out again. Repeatable. @throws {Error} of the file system */
export async function removeKeys(home: string, text: string): Promise<void> {
  await removeText(keysIn(home), text)
}

function keysIn(home: string): SharedFile {
  return { path: join(home, '.ssh', 'authorized_keys'), header: HEADER }
}

function decodeKey(encoded: string, field: string): string {
  const key = decodeBase64(encoded, field).toString().trim()
  if (!key.includes('\0')) return key
  throw new ContentError(`${field} has a NUL byte in it`, { hint: 'Send one public key, as text.' })
}

/**
 * `file: PATH` in a job file: the content of a file beside it, in place of base64 by hand.
 *
 * Only for documents from this host's own disk. On the wire the key is unknown: a control plane
 * must not read the agent's files this way.
 *
 * @module
 */

import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { type Problem, RequestError } from '../errors.ts'
import { readBounded } from './read-bounded.ts'
import { isRecord } from './shapes.ts'

/** A document's list of files, and the older name of it. */
const LISTS = ['files', 'file'] as const

/**
 * Replaces each `file` of the document's files by the `content` it stands for.
 *
 * @param directory that relative paths start from: the one of the job file
 * @throws {RequestError} naming every file that cannot be read
 */
export async function embedLocalFiles(document: unknown, directory: string): Promise<unknown> {
  if (!isRecord(document)) return document
  const problems: Problem[] = []
  const result: Record<string, unknown> = { ...document }
  for (const list of LISTS) {
    const entries = document[list]
    if (!Array.isArray(entries)) continue
    const embedded: unknown[] = []
    for (const [index, entry] of entries.entries()) {
      embedded.push(await embed(entry, `${list}[${index}]`, directory, problems))
    }
    result[list] = embedded
  }
  if (problems.length > 0) throw new RequestError(problems)
  return result
}

async function embed(
  entry: unknown,
  at: string,
  directory: string,
  problems: Problem[],
): Promise<unknown> {
  if (!isRecord(entry) || (entry['file'] ?? null) === null) return entry
  const { file, ...others } = entry
  const problem = (message: string): unknown => {
    problems.push({ path: `${at}.file`, message })
    return others
  }
  if (typeof file !== 'string') return problem('expected the path of a file on this machine')
  if ((entry['content'] ?? null) !== null)
    return problem('expected either file or content, got both')
  try {
    const bytes = await readBounded(createReadStream(resolve(directory, file)))
    return { ...others, content: bytes.toString('base64') }
  } catch (error) {
    return problem(`${file} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

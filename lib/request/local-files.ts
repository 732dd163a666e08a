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
import type { Problem } from '../errors.ts'
import { readBounded } from '../files/read-bounded.ts'
import { isRecord } from './shapes.ts'

/**
 * Replaces each `file` of the document's files by the `content` it stands for.
 *
 * @param directory that relative paths start from: the one of the job file
 * @returns with a problem for every file that cannot be read
 */
export async function embedLocalFiles(document: unknown, directory: string): Promise<Embedded> {
  if (!isRecord(document)) return { document, problems: [] }
  const problems: Problem[] = []
  const result = structuredClone(document)
  for (const { path, list } of listsOfFiles(result)) {
    for (const [index, entry] of list.entries()) {
      list[index] = await embed(entry, `${path}[${index}]`, directory, problems)
    }
  }
  return { document: result, problems }
}

/** What cannot be embedded is empty in it. */
export interface Embedded {
  readonly document: unknown
  readonly problems: readonly Problem[]
}

interface FileList {
  readonly path: string
  readonly list: unknown[]
}

/** Those of the job, by the older name as well, and those of containers and credentials. */
function listsOfFiles(document: Readonly<Record<string, unknown>>): readonly FileList[] {
  const { compose } = document
  const owners = ['containers', 'image_pull_credentials'].flatMap((key) =>
    toList(isRecord(compose) ? compose[key] : undefined).map((owner, index) => ({
      path: `compose.${key}[${index}].files`,
      list: toList(isRecord(owner) ? owner['files'] : undefined),
    })),
  )
  return [...['files', 'file'].map((path) => ({ path, list: toList(document[path]) })), ...owners]
}

function toList(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
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
    return { content: '', ...others }
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

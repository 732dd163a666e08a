/**
 * What both executors make of a file to be injected before they touch anything: where it goes, with
 * which mode, and the message for what cannot be written. Pure.
 *
 * @module
 */

import { posix } from 'node:path'
import { ContentError, withCode } from '../errors.ts'
import { decodeBase64 } from '../request/base64.ts'
import type { EncodedFile } from '../request/job-request.ts'
import { parseFileMode } from './file-mode.ts'

export interface PlannedFile {
  /** Absolute and normal. */
  readonly path: string
  readonly content: Uint8Array
  readonly mode: number
}

/** Paths that can only mean a directory, whether there is one or not. */
const NAMES_DIRECTORY = /(?:^|\/)\.{0,2}$/

/**
 * @param home of the job: `~` is it, and relative paths start there
 * @returns the file, or as text why it cannot be written: lines for the job's author
 * @see lib/shell/README.md: the job's shell starts in `$HOME`
 */
export function planFile(
  { path, content, mode: text }: EncodedFile,
  home: string,
  umask?: number,
): PlannedFile | string {
  const mode = parseFileMode(text, umask)
  if (mode === undefined) return `Failed to set file mode to ${text}`
  const relative = path === '~' || path.startsWith('~/') ? `./${path.slice(1)}` : path
  const place = posix.resolve('/', home, relative)
  if (NAMES_DIRECTORY.test(path)) {
    return describeFailure(place, 'the path is a directory')
  }
  try {
    return { path: place, content: decodeBase64(content, `The content of ${path}`), mode }
  } catch (error) {
    if (error instanceof ContentError) return `${withCode(error)}\n${error.hint}`
    throw error
  }
}

/** A device keeps its meaning, nobody waits for a pipe's other end, and a link leads where it led. */
export const NOT_REPLACEABLE =
  'what exists there is neither a regular file nor a link to one and is left as it is'

export function describeFailure(path: string, reason: string): string {
  return `Failed to write ${path}: ${reason}`
}

/**
 * A job file, or standard input, as the document in it: YAML, of which JSON is a part.
 *
 * @module
 */

import { createReadStream } from 'node:fs'
import { LineCounter, parseDocument, type YAMLError } from 'yaml'
import { FileError, RequestError } from '../errors.ts'

/** Larger than any job by orders of magnitude; a wrong file is not read to its end. */
const MAX_BYTES = 64 * 1024 * 1024

/** Against documents that grow a thousandfold when their aliases are followed. */
const MAX_ALIASES = 1_000

/**
 * @param path of the file; `-` is standard input
 * @throws {FileError} when it cannot be read
 * @throws {RequestError} when it is no YAML: all errors, each with line, column and the text there
 */
export async function loadJobFile(path: string): Promise<unknown> {
  const name = path === '-' ? 'standard input' : path
  const text = await readText(path, name)
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      path: `${name}${formatPosition(error, lines)}`,
      message: `${error.message}${quoteLine(error, text, lines)}`,
    }))
    throw new RequestError(problems)
  }
  if (document.contents === null) {
    throw new RequestError([{ path: name, message: 'expected a job, got an empty document' }])
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    throw new RequestError([{ path: name, message: (error as Error).message }])
  }
}

async function readText(path: string, name: string): Promise<string> {
  const stream = path === '-' ? process.stdin : createReadStream(path)
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      chunks.push(Buffer.from(chunk))
      size += chunk.length
      if (size > MAX_BYTES) throw new RangeError(`it is larger than ${MAX_BYTES} bytes`)
    }
  } catch (cause) {
    throw new FileError(`The job cannot be read from ${name}: ${reasonOf(cause)}`, {
      hint: 'Name a YAML or JSON file that describes a job, or - for standard input.',
      cause,
    })
  }
  return Buffer.concat(chunks).toString('utf8')
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'it is a directory'
  return code === 'EACCES' ? 'permission denied' : message
}

function formatPosition({ pos: [start] }: YAMLError, lines: LineCounter): string {
  const { line, col } = lines.linePos(start)
  return `:${line}:${col}`
}

/** The line of the error with a caret below the place. */
function quoteLine({ pos: [start] }: YAMLError, text: string, lines: LineCounter): string {
  const { line, col } = lines.linePos(start)
  const source = text.split('\n')[line - 1]?.trimEnd() ?? ''
  return source === '' ? '' : `\n  ${source}\n  ${' '.repeat(col - 1)}^`
}

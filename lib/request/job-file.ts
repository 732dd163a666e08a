/**
 * A job file, or standard input, as the job in it.
 *
 * @module
 */

import { createReadStream, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { FileError, type Problem, RequestError } from '../errors.ts'
import { readBounded, readSmallFile } from '../files/read-bounded.ts'
import type { JobRequest } from './job-request.ts'
import { embedLocalFiles } from './local-files.ts'
import { type ParseOptions, parseJobRequest } from './parse-job-request.ts'
import { formatPath } from './paths.ts'
import { isRecord } from './shapes.ts'
import { expandShortForm } from './short-form.ts'
import { parseYaml } from './yaml.ts'
import { placeProblems } from './yaml-places.ts'

const STANDARD_INPUT = '-'

export interface LoadOptions extends ParseOptions {
  /** Where a job's `secrets` are taken from. Default: nowhere. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export interface LocalJob {
  readonly request: JobRequest
  /** What the request was made from: the long form, with the contents of files in it. */
  readonly document: Readonly<Record<string, unknown>>
  /** An absolute path on this host, for which the long form has no field. */
  readonly workdir: string | undefined
}

/**
 * Reads YAML, of which JSON is a part, in the short or the long form. What the document embeds by
 * `file: PATH` and `env_file` is read as well.
 *
 * @param path of the file; `-` is standard input
 * @throws {FileError} when it cannot be read
 * @throws {RequestError} when it is invalid YAML, embeds files that cannot be read, or is no job
 */
export async function loadJobFile(
  path: string,
  stdin: AsyncIterable<Uint8Array>,
  options: LoadOptions = {},
): Promise<LocalJob> {
  const isStdin = path === STANDARD_INPUT
  const name = isStdin ? 'standard input' : path
  const text = decodeUtf8(await readJob(isStdin ? stdin : createReadStream(path), name), name)
  const hint = `Correct ${isStdin ? 'what is named above' : name} and run it again.`
  try {
    return await toLocalJob(parseYaml(text, name), isStdin ? '.' : dirname(path), options)
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    const isSyntax = error.problems.some(({ path }) => `${path}:`.startsWith(`${name}:`))
    const problems = isSyntax ? error.problems : placeProblems(error.problems, text, name)
    throw new RequestError(problems, hint)
  }
}

/**
 * A document in either form as a job of this host.
 *
 * @param directory that the paths of files start from; a `workdir` starts from the current one
 * @throws {RequestError} with all that is wrong with it, by the names it is written with
 */
export async function toLocalJob(
  written: unknown,
  directory: string,
  { environment = {}, ...options }: LoadOptions,
): Promise<LocalJob> {
  const problems: Problem[] = []
  const envFile = readEnvFile(written, directory, problems)
  const long = expandShortForm(written, { environment, envFile })
  const { document, problems: unread } = await embedLocalFiles(long.document, directory)
  problems.push(...long.notes.problems, ...unread.map(toWritten))
  const workdir = long.workdir === undefined ? undefined : resolve(long.workdir)
  if (workdir !== undefined && !isDirectory(workdir)) {
    problems.push({ path: 'workdir', message: `there is no directory ${workdir}` })
  }
  const told = new Set(problems.map(({ path }) => path))
  try {
    const request = parseJobRequest(document, options)
    if (problems.length > 0) throw new RequestError(problems)
    const unknownKeys = request.unknownKeys.map(toWrittenPath)
    return {
      request: { ...request, unknownKeys },
      document: document as LocalJob['document'],
      workdir,
    }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    const others = error.problems.map(toWritten).filter(({ path }) => !told.has(path))
    throw new RequestError([...problems, ...others])
  }

  function toWritten({ path, message }: Problem): Problem {
    return { path: toWrittenPath(path), message }
  }

  /** How many keys there are beyond those that are named is no path. */
  function toWrittenPath(path: string): string {
    return /^\d+ more$/.test(path) ? path : formatPath(long.notes.originOf(path))
  }
}

function readEnvFile(
  document: unknown,
  directory: string,
  problems: Problem[],
): string | undefined {
  const path = isRecord(document) ? (document['env_file'] ?? undefined) : undefined
  if (path === undefined) return undefined
  const report = (message: string) => void problems.push({ path: 'env_file', message })
  if (typeof path !== 'string') {
    report('expected the path of a file on this machine')
    return undefined
  }
  try {
    return readSmallFile(resolve(directory, path))
  } catch (error) {
    report(`${path} cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

async function readJob(stream: AsyncIterable<Uint8Array>, name: string): Promise<Uint8Array> {
  try {
    return await readBounded(stream)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new FileError(`The job cannot be read from ${name}: ${reason}`, {
      hint: 'Name a YAML or JSON file that describes a job, or - for standard input.',
      cause,
    })
  }
}

function decodeUtf8(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new FileError(`The job cannot be read from ${name}: it is not UTF-8 text`, {
      hint: 'Save it as UTF-8; encode other bytes in base64.',
      cause,
    })
  }
}

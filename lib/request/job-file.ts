/**
 * A job file, or standard input, as the document in it.
 *
 * @module
 */

import { createReadStream } from 'node:fs'
import { dirname } from 'node:path'
import { FileError, RequestError } from '../errors.ts'
import { readBounded } from '../files/read-bounded.ts'
import type { JobRequest } from './job-request.ts'
import { embedLocalFiles } from './local-files.ts'
import { type ParseOptions, parseJobRequest } from './parse-job-request.ts'
import { parseYaml } from './yaml.ts'
import { explainTypes } from './yaml-types.ts'

const STANDARD_INPUT = '-'

/**
 * Reads YAML, of which JSON is a part. What the document embeds by `file: PATH` is read as well.
 *
 * @param path of the file; `-` is standard input
 * @throws {FileError} when it cannot be read
 * @throws {RequestError} when it is invalid YAML, embeds files that cannot be read, or is no job
 */
export async function loadJobFile(
  path: string,
  stdin: AsyncIterable<Uint8Array>,
  options: ParseOptions = {},
): Promise<JobRequest> {
  const isStdin = path === STANDARD_INPUT
  const name = isStdin ? 'standard input' : path
  const text = decodeUtf8(await readJob(isStdin ? stdin : createReadStream(path), name), name)
  const document = parseYaml(text, name)
  try {
    const whole = await embedLocalFiles(document, isStdin ? '.' : dirname(path))
    return parseJobRequest(whole, options)
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    throw new RequestError(explainTypes(error.problems, text))
  }
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

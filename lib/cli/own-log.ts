/**
 * The own log of a long-running agent: on standard error, and in a file if possible.
 *
 * @module
 */

import { join } from 'node:path'
import { explain } from '../errors.ts'
import { createLogger, formatJson, formatText, type Logger } from '../log.ts'
import { LogFile } from '../log-file.ts'
import type { StateDirectory } from '../records/directory.ts'
import type { ServeConfig } from '../settings/serve-config.ts'

export interface OwnLog {
  /** @param job the id that marks every line */
  readonly logFor: (job?: string) => Logger
  /** Undefined when it cannot be written to a file. */
  readonly agentLog: LogFile | undefined
}

type LogConfig = Pick<ServeConfig, 'logFilePath' | 'logFileSize' | 'logFormat' | 'logLevel'>

export function openOwnLog(
  { logLevel, logFormat, logFilePath, logFileSize }: LogConfig,
  state: StateDirectory,
): OwnLog {
  const path = logFilePath ?? join(state.path, 'agent.log')
  let file: LogFile | undefined
  let problem: string | undefined
  try {
    file = new LogFile(path, logFileSize)
  } catch (error) {
    problem = `The log cannot be written to ${path}: ${explain(error)}`
  }
  const write = (text: string) => {
    process.stderr.write(text)
    file?.write(text)
  }
  const format = logFormat === 'json' ? formatJson : formatText
  const logFor = (job?: string) => createLogger({ write, level: logLevel, format, job })
  if (problem !== undefined) logFor().warn(problem)
  return { logFor, agentLog: file }
}

/**
 * The file of `--env-vars-file`: variables that neither `ps` nor another user is to see.
 *
 * @module
 */

import type { Stats } from 'node:fs'
import { ConfigError } from '../errors.ts'
import { readSmallFile } from '../files/read-bounded.ts'
import type { Pair } from './value-type.ts'

const FLAG = '--env-vars-file'

/**
 * One `NAME=value` per line, the value up to the end of the line as it is; empty lines and those
 * that begin with `#` count for nothing.
 *
 * @throws {ConfigError} naming the file or the line at fault, never a value
 */
export function readVariablesFile(path: string): readonly Pair[] {
  const lines = readPrivate(path).split(/\r?\n/)
  return lines.flatMap((line, index): Pair[] => {
    if (/^\s*(#|$)/.test(line)) return []
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? []
    if (name !== undefined && value !== undefined) return [[name, value]]
    throw new ConfigError(`${FLAG}: line ${index + 1} of ${path} is not NAME=value`, {
      hint: 'Write one variable per line; a value of several lines can only be given in the file of --config-file.',
    })
  })
}

function readPrivate(path: string): string {
  try {
    return readSmallFile(path, (stats) => refuseUnlessPrivate(path, stats))
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`${FLAG}: ${path} cannot be read: ${(cause as Error).message}`, {
      hint: "Name a file that the agent's user can read.",
      cause,
    })
  }
}

function refuseUnlessPrivate(path: string, stats: Stats): void {
  const isOwn = stats.uid === process.geteuid?.() || stats.uid === 0
  if (isOwn && (stats.mode & 0o077) === 0) return
  throw new ConfigError(`${FLAG}: others may read or change ${path}`, {
    hint: "Give it to the agent's user alone: chown, chmod 600.",
  })
}

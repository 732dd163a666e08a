/**
 * The YAML file of `--config-file`: keys are the names of the flags.
 *
 * @module
 */

import { createReadStream } from 'node:fs'
import type { Document } from 'yaml'
import { ConfigError } from '../errors.ts'
import { MAX_SMALL_BYTES, readBounded } from '../files/read-bounded.ts'
import type { Given, Layer } from './layers.ts'
import type { Problems } from './problems.ts'
import type { Setting, SettingTable } from './setting.ts'

/**
 * @param problems gets what is wrong with single keys; no message has a value
 * @throws {ConfigError} for a file that cannot be read as a whole
 */
export async function fileLayer(
  table: SettingTable,
  path: string,
  problems: Problems,
): Promise<Layer> {
  const document = await parseFile(path, await readText(path))
  const layer = new Map<string, Given>()
  for (const [key, value] of Object.entries(document)) {
    const source = `${key} in ${path}`
    const setting = key !== 'config-file' && Object.hasOwn(table, key) ? table[key] : undefined
    if (setting === undefined) {
      problems.add(
        `${source}: there is no such setting`,
        'Keys are the options of the command without the dashes: see its --help.',
      )
    } else if (value !== null) {
      const text = problems.check(() => toText(source, value, setting))
      if (text !== undefined) layer.set(key, { source, text })
    }
  }
  return layer
}

async function readText(path: string): Promise<string> {
  try {
    return (await readBounded(createReadStream(path), MAX_SMALL_BYTES)).toString('utf8')
  } catch (cause) {
    throw new ConfigError(`The settings in ${path} cannot be read: ${(cause as Error).message}`, {
      hint: "Correct --config-file, or let the agent's user read the file.",
      cause,
    })
  }
}

async function parseFile(path: string, text: string): Promise<Record<string, unknown>> {
  const { parseDocument, visit } = await import('yaml') // an agent without such a file needs no parser
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) {
    // The parser's own message would show the line, and a secret may stand in it.
    const at = error.linePos?.[0]
    const place = at === undefined ? path : `${path}:${at.line}:${at.col}`
    throw new ConfigError(`${place}: invalid YAML (${error.code})`, {
      hint: 'Write one setting per line, e.g. port: 8000',
    })
  }
  visit(document, {
    // A version 1.10, a mode 0644, a variable True, a secret of digits: as they are written.
    Scalar: (_, scalar, { length: depth }) => {
      const isValueOfList = typeof scalar.value === 'boolean' && depth > DEPTH_OF_SETTING
      if (typeof scalar.value === 'number' || isValueOfList) scalar.value = scalar.source
    },
  })
  const settings = resolveAliases(document, path)
  if (isMapping(settings)) return settings
  throw new ConfigError(`${path}: expected settings, one a line`, { hint: 'e.g. port: 8000' })
}

/** @throws {ConfigError} for an alias of nothing, and for those that would multiply without end */
function resolveAliases(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (cause) {
    // Its own message has the alias, which may well be a secret that begins with an asterisk.
    throw new ConfigError(`${path}: an alias refers to nothing, or to too much`, {
      hint: 'Put a value that begins with * or & in quotes.',
      cause,
    })
  }
}

/** Document, mapping, pair. */
const DEPTH_OF_SETTING = 3

/** A list of texts stays one; a mapping becomes one. */
function toText(source: string, value: unknown, { type }: Setting): string | string[] {
  if (isScalar(value)) return String(value)
  if (Array.isArray(value) && value.every(isScalar)) return value.map(String)
  const { several } = type
  if (isMapping(value) && Object.values(value).every(isScalar) && several !== undefined) {
    return Object.entries(value).map(([name, text]) => `${name}${several.separator}${text}`)
  }
  throw new ConfigError(`${source}: what is given there is no value for it`, {
    hint: 'See --help of the command for what the setting takes.',
  })
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isScalar(value: unknown): value is boolean | number | string {
  return ['boolean', 'number', 'string'].includes(typeof value)
}

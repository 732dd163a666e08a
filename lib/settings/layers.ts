/**
 * The places a setting may be given in, and which of them counts: flag, variable, file, default.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'
import {
  type Setting,
  type SettingTable,
  type SettingValues,
  VARIABLE_PREFIX,
  variableOf,
} from './setting.ts'

/** One place, and what is given there, by the names of the settings. */
export type Layer = ReadonlyMap<string, Given>

/** A value that has not been read yet. */
export interface Given {
  /** For messages: `--port`, `SEMAPHORE_AGENT_PORT`, `port in agent.yaml`. */
  readonly source: string
  readonly text: string | readonly string[]
}

/** @param flags as the command line gives them; others than settings are none of ours */
export function flagLayer(table: SettingTable, flags: Readonly<Record<string, unknown>>): Layer {
  const layer = new Map<string, Given>()
  for (const name of Object.keys(table)) {
    const value = flags[name]
    if (value !== undefined) layer.set(name, { source: `--${name}`, text: String(value) })
  }
  return layer
}

/** An empty variable is none: that is how many tools pass on what is not set. */
export function variableLayer(table: SettingTable, environment: NodeJS.ProcessEnv): Layer {
  const layer = new Map<string, Given>()
  for (const name of Object.keys(table)) {
    const source = variableOf(name)
    const text = environment[source] ?? ''
    if (text !== '') layer.set(name, { source, text })
  }
  return layer
}

/**
 * Variables that look like settings and are none: a typing mistake, as a rule.
 *
 * @param tables of all commands: what is meant for one of them is no mistake for another
 */
export function strayVariables(
  tables: readonly SettingTable[],
  environment: NodeJS.ProcessEnv,
): string[] {
  const known = new Set(tables.flatMap((table) => Object.keys(table)).map(variableOf))
  return Object.keys(environment).filter(
    (name) => name.startsWith(VARIABLE_PREFIX) && !known.has(name),
  )
}

/** @param layers the first that has a value for a setting decides. @throws {ConfigError} */
export function resolveSettings<Table extends SettingTable>(
  table: Table,
  layers: readonly Layer[],
): SettingValues<Table> {
  const resolved = Object.entries(table).map(([name, setting]) => {
    const given = layers.map((layer) => layer.get(name)).find((value) => value !== undefined)
    return [camelCase(name), parse(setting, given)] as const
  })
  return Object.fromEntries(resolved) as SettingValues<Table> // the table's types, name by name
}

function parse(setting: Setting, given: Given | undefined): unknown {
  if (given === undefined) {
    return setting.default === undefined ? undefined : setting.type.parse('', setting.default)
  }
  const { source, text } = given
  if (typeof text === 'string') return setting.type.parse(source, text)
  if (setting.type.several !== undefined) return setting.type.several.parse(source, text)
  throw new ConfigError(`${source}: expected one value, got a list`, { hint: 'Give it once.' })
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

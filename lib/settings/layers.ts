/**
 * The places a setting may be given in, and which of them counts: flag, variable, file, default.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'
import { Problems } from './problems.ts'
import { type Setting, type SettingTable, type SettingValues, variableOf } from './setting.ts'

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

/**
 * An empty variable is none: that is how many tools pass on what is not set.
 *
 * @param lists how a list is written: by `commas` its parts may contain white space
 */
export function variableLayer(
  table: SettingTable,
  environment: NodeJS.ProcessEnv,
  lists: ListStyle = 'commas',
): Layer {
  const layer = new Map<string, Given>()
  for (const [name, { type }] of Object.entries(table)) {
    const source = variableOf(name)
    const text = environment[source] ?? ''
    if (text === '') continue
    const isSplit = lists === 'commas or white space' && type.several !== undefined
    layer.set(name, { source, text: isSplit ? text.split(/[\s,]+/).filter(Boolean) : text })
  }
  return layer
}

export type ListStyle = 'commas' | 'commas or white space'

/** @param layers the first that has a value for a setting decides. @throws {ConfigError} naming all that is wrong */
export function resolveSettings<Table extends SettingTable>(
  table: Table,
  layers: readonly Layer[],
): SettingValues<Table> {
  const problems = new Problems()
  const values = readSettings(table, layers, problems)
  problems.throwIfAny()
  return values
}

/** As {@link resolveSettings}, with the default of each setting that is a problem, for a look at the others. */
export function readSettings<Table extends SettingTable>(
  table: Table,
  layers: readonly Layer[],
  problems: Problems,
): SettingValues<Table> {
  const resolved = Object.entries(table).map(([name, setting]) => {
    const given = layers.map((layer) => layer.get(name)).find((value) => value !== undefined)
    const value = given === undefined ? undefined : problems.check(() => parse(setting, given))
    return [camelCase(name), value ?? defaultOf(setting)] as const
  })
  return Object.fromEntries(resolved) as SettingValues<Table> // the table's types, name by name
}

function defaultOf({ type, default: preset }: Setting): unknown {
  return preset === undefined ? undefined : type.parse('', preset)
}

function parse(setting: Setting, { source, text }: Given): unknown {
  if (typeof text === 'string') return setting.type.parse(source, text)
  if (setting.type.several !== undefined) return setting.type.several.parse(source, text)
  throw new ConfigError(`${source}: expected one value, got a list`, { hint: 'Give it once.' })
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

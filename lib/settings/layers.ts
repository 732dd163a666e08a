/**
 * The places a setting may be given in, and which of them counts: flag, variable, file, default.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'
import {
  SERVE_SETTINGS,
  type Setting,
  type SettingName,
  type SettingValues,
  VARIABLE_PREFIX,
  variableOf,
} from './serve-settings.ts'

/** One place, and what is given there. */
export interface Layer {
  readonly values: ReadonlyMap<SettingName, Given>
}

/** A value that has not been read yet. */
export interface Given {
  /** For messages: `--port`, `SEMAPHORE_AGENT_PORT`, `port in agent.yaml`. */
  readonly source: string
  readonly text: string | readonly string[]
}

const NAMES = Object.keys(SERVE_SETTINGS) as SettingName[]

/** @param flags as the command line gives them; others than settings are none of ours */
export function flagLayer(flags: Readonly<Record<string, unknown>>): Layer {
  const values = new Map<SettingName, Given>()
  for (const name of NAMES) {
    const value = flags[name]
    if (value !== undefined) values.set(name, { source: `--${name}`, text: String(value) })
  }
  return { values }
}

/** An empty variable is none: that is how many tools pass on what is not set. */
export function variableLayer(environment: NodeJS.ProcessEnv): Layer {
  const values = new Map<SettingName, Given>()
  for (const name of NAMES) {
    const source = variableOf(name)
    const text = environment[source] ?? ''
    if (text !== '') values.set(name, { source, text })
  }
  return { values }
}

/** Variables that look like settings and are none: a typing mistake, as a rule. */
export function strayVariables(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set(NAMES.map(variableOf))
  return Object.keys(environment).filter(
    (name) => name.startsWith(VARIABLE_PREFIX) && !known.has(name),
  )
}

/** @param layers the first that has a value for a setting decides. @throws {ConfigError} */
export function resolveSettings(layers: readonly Layer[]): SettingValues {
  const resolved = NAMES.map((name) => {
    const given = layers.map(({ values }) => values.get(name)).find((value) => value !== undefined)
    return [camelCase(name), parse(SERVE_SETTINGS[name], given)] as const
  })
  return Object.fromEntries(resolved) as SettingValues // the table's types, name by name
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

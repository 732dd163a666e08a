/**
 * Where the settings of an agent that stays come from: its flags, variables and file.
 *
 * @module
 */

import { flagLayer, type Layer, type ListStyle, variableLayer } from './layers.ts'
import type { Problems } from './problems.ts'
import { RUN_SETTINGS } from './run-settings.ts'
import { SERVE_SETTINGS } from './serve-settings.ts'
import { type SettingTable, VARIABLE_PREFIX, variableOf } from './setting.ts'
import { fileLayer } from './settings-file.ts'
import { START_SETTINGS } from './start-settings.ts'

export interface ConfigSources {
  /** As the command line gives them, by name; absent = not given. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: NodeJS.ProcessEnv
  /** Where `server.crt` and `server.key` are looked for. */
  readonly workingDirectory: string
  readonly isRoot: boolean
}

/**
 * @param problems gets what is wrong with single keys of the file
 * @returns in the order in which they count
 * @throws {ConfigError} for a file that cannot be read as a whole
 */
export async function findLayers(
  table: SettingTable,
  { flags, environment }: Pick<ConfigSources, 'environment' | 'flags'>,
  problems: Problems,
  lists?: ListStyle,
): Promise<Layer[]> {
  const given = [flagLayer(table, flags), variableLayer(table, environment, lists)]
  const file = given.map((layer) => layer.get('config-file')).find((it) => it !== undefined)
  if (file === undefined) return given
  return [...given, await fileLayer(table, String(file.text), problems)]
}

/** Variables that look like settings and are none of any command: a typing mistake, as a rule. */
export function warnOfStrays(environment: NodeJS.ProcessEnv): string[] {
  const tables = [RUN_SETTINGS, SERVE_SETTINGS, START_SETTINGS]
  const known = new Set(tables.flatMap((table) => Object.keys(table)).map(variableOf))
  return Object.keys(environment)
    .filter((name) => name.startsWith(VARIABLE_PREFIX) && !known.has(name))
    .map((name) => `unknown setting ${name}`)
}

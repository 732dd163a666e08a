/**
 * The table of all settings in README.md, made from the tables that the commands read.
 *
 * @module
 */

import { RUN_SETTINGS } from '../../lib/settings/run-settings.ts'
import { SERVE_SETTINGS } from '../../lib/settings/serve-settings.ts'
import { type Setting, type SettingTable, variableOf } from '../../lib/settings/setting.ts'

export const START = '<!-- settings: made by npm run readme -->'
export const END = '<!-- end of settings -->'

const COMMANDS: Readonly<Record<string, SettingTable>> = {
  run: RUN_SETTINGS,
  serve: SERVE_SETTINGS,
}

/** @throws {Error} when the text has no place for it */
export function withSettingsTable(readme: string): string {
  const start = readme.indexOf(START)
  const end = readme.indexOf(END)
  if (start < 0 || end < start) throw new Error(`README.md has no ${START} … ${END}`)
  return `${readme.slice(0, start + START.length)}\n${renderTable()}${readme.slice(end)}`
}

function renderTable(): string {
  const names = new Set(Object.values(COMMANDS).flatMap((table) => Object.keys(table)))
  const rows = [...names].sort().map(renderRow)
  return `| option | variable | default | of | what it does |\n|---|---|---|---|---|\n${rows.join('')}`
}

function renderRow(name: string): string {
  const tables = Object.entries(COMMANDS).filter(([, table]) => Object.hasOwn(table, name))
  const defaults = tables.map(([command, table]) => [command, defaultOf(table[name])] as const)
  const [, first = ''] = defaults[0] ?? []
  const isOne = defaults.every(([, preset]) => preset === first)
  const [setting] = tables.map(([, table]) => table[name])
  const cells = [
    `\`--${name}${setting?.type.hint === '' ? '' : ` ${setting?.type.hint}`}\``,
    `\`${variableOf(name)}\``,
    isOne ? first : defaults.map(([command, preset]) => `${command}: ${preset}`).join(', '),
    tables.map(([command]) => command).join(', '),
    setting?.description.replace(NOTED_DEFAULT, '') ?? '',
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
}

/** What a description says of a default that is no fixed value. */
const NOTED_DEFAULT = / \(default: (.*)\)$/

function defaultOf(setting: Setting | undefined): string {
  const preset = setting?.default ?? ''
  if (preset !== '') return `\`${preset}\``
  return NOTED_DEFAULT.exec(setting?.description ?? '')?.[1] ?? ''
}

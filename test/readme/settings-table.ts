/**
 * The table of all settings, made from the tables that the commands read.
 *
 * @module
 */

import { RUN_SETTINGS } from '../../lib/settings/run-settings.ts'
import { SERVE_SETTINGS } from '../../lib/settings/serve-settings.ts'
import { type Setting, type SettingTable, variableOf } from '../../lib/settings/setting.ts'
import { START_SETTINGS } from '../../lib/settings/start-settings.ts'
import { renderTable } from './table.ts'

const COMMANDS: Readonly<Record<string, SettingTable>> = {
  run: RUN_SETTINGS,
  serve: SERVE_SETTINGS,
  start: START_SETTINGS,
}

export function renderSettings(): string {
  const names = new Set(Object.values(COMMANDS).flatMap((table) => Object.keys(table)))
  const rows = [...names].sort().map(toRow)
  return renderTable(['option', 'variable', 'default', 'of', 'what it does'], rows)
}

function toRow(name: string): readonly string[] {
  const tables = Object.entries(COMMANDS).filter(([, table]) => Object.hasOwn(table, name))
  const defaults = tables.map(([command, table]) => [command, defaultOf(table[name])] as const)
  const [, first = ''] = defaults[0] ?? []
  const isOne = defaults.every(([, preset]) => preset === first)
  const [setting] = tables.map(([, table]) => table[name])
  return [
    `\`--${name}${setting?.type.hint === '' ? '' : ` ${setting?.type.hint}`}\``,
    `\`${variableOf(name)}\``,
    isOne ? first : defaults.map(([command, preset]) => `${command}: ${preset}`).join(', '),
    tables.map(([command]) => command).join(', '),
    describe(tables.map(([command, table]) => [command, table[name]?.description ?? ''])),
  ]
}

/** What a later command says otherwise is told behind it. */
function describe(descriptions: readonly (readonly [command: string, text: string])[]): string {
  const texts = descriptions.map(
    ([command, text]) => [command, text.replace(NOTED_DEFAULT, '')] as const,
  )
  const [, first = ''] = texts[0] ?? []
  const others = texts.filter(([, text]) => text !== first)
  return [first, ...others.map(([command, text]) => `${command}: ${text}`)].join('; ')
}

/** What a description says of a default that is no fixed value. */
const NOTED_DEFAULT = / \(default: (.*)\)$/

function defaultOf(setting: Setting | undefined): string {
  const preset = setting?.default ?? ''
  if (preset !== '') return `\`${preset}\``
  return NOTED_DEFAULT.exec(setting?.description ?? '')?.[1] ?? ''
}

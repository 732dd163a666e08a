/**
 * Settings as arguments of a command.
 *
 * @module
 */

import type { ArgsDef } from 'citty'
import type { SettingTable } from '../settings/setting.ts'

/**
 * No argument has a default of its own: a setting missing on the command line may come from a variable
 * or a file.
 */
export function settingArgs(table: SettingTable): ArgsDef {
  const args: ArgsDef = {}
  for (const [name, { type, default: preset = '', description }] of Object.entries(table)) {
    const ending = preset === '' || preset === 'false' ? '' : ` (default: ${preset})`
    const text = `${description}${ending}`
    args[name] =
      type.hint === ''
        ? { type: 'boolean', description: text }
        : { type: 'string', valueHint: type.hint, description: text }
  }
  return args
}

/**
 * Checks and prepares a command's arguments, where the argument parser would miss mistakes.
 *
 * @module
 */

import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import { ConfigError } from '../errors.ts'
import { suggest } from './nearest.ts'

/** The positional argument that represents another program's command line, after `--`. */
export const COMMAND = 'command'

/** A command's own arguments, and those after `--` when they are another program's. */
export function splitArgv(
  args: NonNullable<CommandDef['args']>,
  argv: readonly string[],
): { readonly own: readonly string[]; readonly others: readonly string[] } {
  const at = Object.hasOwn(args, COMMAND) ? argv.indexOf('--') : -1
  if (at < 0) return { own: argv, others: [] }
  return { own: argv.slice(0, at), others: argv.slice(at + 1) }
}

/** @throws {ConfigError} for an unknown flag, a flag without its value, a missing or a surplus argument */
export function checkArgv(
  command: string,
  args: NonNullable<CommandDef['args']>,
  argv: readonly string[],
): void {
  const definitions = args as ArgsDef
  const hint = `See agent ${command} --help.`
  const positionals = Object.entries(definitions).filter(
    ([name, { type }]) => type === 'positional' && name !== COMMAND,
  )
  let given = 0
  let flagsAreOver = false
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at] ?? ''
    if (arg === '--' && !flagsAreOver) {
      flagsAreOver = true
      continue
    }
    if (flagsAreOver || !arg.startsWith('-') || arg === '-') {
      given++
      if (given > positionals.length) {
        throw new ConfigError(`agent ${command}: unexpected argument "${arg}"`, { hint })
      }
      continue
    }
    if (takesNextArgument(command, definitions, [arg, argv[at + 1]], hint)) at++
  }
  const [missing] = positionals.slice(given).filter(([, { required }]) => required !== false)
  if (missing !== undefined) {
    throw new ConfigError(`agent ${command} needs ${missing[0].toUpperCase()}`, { hint })
  }
}

/** Of a flag with several values, separated by commas. */
const LIST_HINT = ',…'

/**
 * Joins a list given in several flags: `--files a:b --files c:d` is `--files a:b,c:d`. Of any other
 * flag, the last occurrence counts.
 *
 * @param argv that has passed {@link checkArgv}
 */
export function joinLists(
  args: NonNullable<CommandDef['args']>,
  argv: readonly string[],
): readonly string[] {
  const lists = new Map<string, string[]>()
  const rest: string[] = []
  for (let at = 0; at < argv.length; at++) {
    const arg = argv[at] ?? ''
    if (arg === '--') return [...rest, ...toFlags(lists), ...argv.slice(at)]
    const [flag = '', value] = arg.split(/=(.*)/s, 2)
    const definition = arg.startsWith('-') ? findFlag(args as ArgsDef, flag) : undefined
    if (!definition?.valueHint?.endsWith(LIST_HINT)) rest.push(arg)
    else lists.set(flag, [...(lists.get(flag) ?? []), value ?? argv[++at] ?? ''])
  }
  return [...rest, ...toFlags(lists)]
}

function toFlags(lists: ReadonlyMap<string, readonly string[]>): string[] {
  return [...lists].map(([flag, values]) => `${flag}=${values.join(',')}`)
}

/**
 * The parser treats every `--no-…` as the negative of a switch, even if there is a flag of that name that
 * takes a value. It also accepts such a flag in camel case, which is used here.
 *
 * @param argv that has passed {@link checkArgv}
 */
export function disguiseNegatives(
  args: NonNullable<CommandDef['args']>,
  argv: readonly string[],
): readonly string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  return argv.map((arg, at) => {
    const [flag = ''] = arg.split('=', 1)
    if (at >= end || !flag.startsWith('--no-') || !Object.hasOwn(args, flag.slice(2))) return arg
    return (
      flag.replace(/(?<=[a-z])-([a-z])/g, (_, letter) => letter.toUpperCase()) +
      arg.slice(flag.length)
    )
  })
}

/** @returns whether the argument after the flag is its value */
function takesNextArgument(
  command: string,
  definitions: ArgsDef,
  [arg, next]: readonly [string, string | undefined],
  hint: string,
): boolean {
  const [flag = '', value] = arg.split(/=(.*)/s, 2)
  const definition = findFlag(definitions, flag)
  if (definition === undefined) {
    throw new ConfigError(`agent ${command}: unknown option ${flag}`, {
      hint: `${suggest(flag, flagsOf(definitions))}${hint}`,
    })
  }
  if (definition.type === 'boolean') {
    if (value === undefined || value === 'true' || value === 'false') return false
    throw new ConfigError(`${flag} takes no value but true or false`, { hint })
  }
  if (value === undefined && next === undefined) {
    throw new ConfigError(`${flag} needs a value`, { hint })
  }
  return value === undefined
}

/** As they are written. */
function flagsOf(definitions: ArgsDef): string[] {
  return Object.entries(definitions).flatMap(([name, { type }]) => {
    if (type === 'positional') return []
    return type === 'boolean' ? [`--${name}`, `--no-${name}`] : [`--${name}`]
  })
}

function findFlag(definitions: ArgsDef, flag: string): ArgDef | undefined {
  const name = flag.replace(/^--?/, '')
  const own = Object.hasOwn(definitions, name) ? definitions[name] : undefined
  if (own !== undefined && own.type !== 'positional') return own
  const positive = name.startsWith('no-') ? definitions[name.slice('no-'.length)] : undefined
  return positive?.type === 'boolean' ? positive : undefined
}

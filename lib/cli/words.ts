/**
 * Finds what is wrong with the words after a command, which the argument parser would let pass.
 *
 * @module
 */

import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import { ConfigError } from '../errors.ts'
import { suggest } from './nearest.ts'

/** The positional argument that stands for the words of another program's call, after `--`. */
export const COMMAND = 'command'

/** A command's own words, and those after `--` when they are another program's. */
export function splitWords(
  args: NonNullable<CommandDef['args']>,
  words: readonly string[],
): { readonly own: readonly string[]; readonly others: readonly string[] } {
  const at = Object.hasOwn(args, COMMAND) ? words.indexOf('--') : -1
  if (at < 0) return { own: words, others: [] }
  return { own: words.slice(0, at), others: words.slice(at + 1) }
}

/** @throws {ConfigError} for an unknown flag, a flag without its value, a missing or a spare word */
export function checkWords(
  command: string,
  args: NonNullable<CommandDef['args']>,
  words: readonly string[],
): void {
  const definitions = args as ArgsDef
  const hint = `See agent ${command} --help.`
  const positionals = Object.entries(definitions).filter(
    ([name, { type }]) => type === 'positional' && name !== COMMAND,
  )
  let given = 0
  let flagsAreOver = false
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--' && !flagsAreOver) {
      flagsAreOver = true
      continue
    }
    if (flagsAreOver || !word.startsWith('-') || word === '-') {
      given++
      if (given > positionals.length) {
        throw new ConfigError(`agent ${command} does not know what to do with "${word}"`, { hint })
      }
      continue
    }
    if (takesNextWord(command, definitions, [word, words[at + 1]], hint)) at++
  }
  const [missing] = positionals.slice(given).filter(([, { required }]) => required !== false)
  if (missing !== undefined) {
    throw new ConfigError(`agent ${command} needs ${missing[0].toUpperCase()}`, { hint })
  }
}

/** Of a flag with several values, separated by commas. */
const LIST_HINT = ',…'

/**
 * A list given in several flags as one: `--files a:b --files c:d` is `--files a:b,c:d`. Of every
 * other flag the last one counts.
 *
 * @param words that have passed {@link checkWords}
 */
export function joinLists(
  args: NonNullable<CommandDef['args']>,
  words: readonly string[],
): readonly string[] {
  const lists = new Map<string, string[]>()
  const rest: string[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (word === '--') return [...rest, ...toFlags(lists), ...words.slice(at)]
    const [flag = '', value] = word.split(/=(.*)/s, 2)
    const definition = word.startsWith('-') ? findFlag(args as ArgsDef, flag) : undefined
    if (!definition?.valueHint?.endsWith(LIST_HINT)) rest.push(word)
    else lists.set(flag, [...(lists.get(flag) ?? []), value ?? words[++at] ?? ''])
  }
  return [...rest, ...toFlags(lists)]
}

function toFlags(lists: ReadonlyMap<string, readonly string[]>): string[] {
  return [...lists].map(([flag, values]) => `${flag}=${values.join(',')}`)
}

/**
 * The parser takes every `--no-…` for the negative of a switch, without looking whether there is a
 * flag of that very name with a value. It knows such a flag in camel case as well.
 *
 * @param words that have passed {@link checkWords}
 */
export function disguiseNegatives(
  args: NonNullable<CommandDef['args']>,
  words: readonly string[],
): readonly string[] {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  return words.map((word, at) => {
    const [flag = ''] = word.split('=', 1)
    if (at >= end || !flag.startsWith('--no-') || !Object.hasOwn(args, flag.slice(2))) return word
    return (
      flag.replace(/(?<=[a-z])-([a-z])/g, (_, letter) => letter.toUpperCase()) +
      word.slice(flag.length)
    )
  })
}

/** @returns whether the word after the flag is its value */
function takesNextWord(
  command: string,
  definitions: ArgsDef,
  [word, next]: readonly [string, string | undefined],
  hint: string,
): boolean {
  const [flag = '', value] = word.split(/=(.*)/s, 2)
  const definition = findFlag(definitions, flag)
  if (definition === undefined) {
    throw new ConfigError(`agent ${command} has no flag ${flag}`, {
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

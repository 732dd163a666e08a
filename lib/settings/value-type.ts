/**
 * What the text of a setting may be, wherever it was given, and what the agent makes of it.
 *
 * @module
 */

import { parseCount, parseDuration } from '../config.ts'
import { ConfigError } from '../errors.ts'

export interface ValueType<T> {
  /** Stands for the value in help texts. */
  readonly hint: string
  /**
   * @param source where it was given: a flag, a variable, a key of a file
   * @throws {ConfigError} naming that source and what was expected
   */
  parse(source: string, text: string): T
  /** For settings of which a file may give several, as a list or a mapping. */
  readonly several?: {
    /** Joins a mapping's keys and values. */
    readonly separator: string
    parse(source: string, texts: readonly string[]): T
  }
}

export const TEXT: ValueType<string> = {
  hint: 'TEXT',
  parse: (source, text) => {
    if (text !== '') return text
    throw new ConfigError(`${source}: expected a value, got none`, { hint: 'Give it one.' })
  },
}

export const PATH: ValueType<string> = { ...TEXT, hint: 'PATH' }

/** A number of 1 or more. */
export const COUNT: ValueType<number> = { hint: 'N', parse: parseCount }

/** In milliseconds. */
export const DURATION: ValueType<number> = { hint: 'DURATION', parse: parseDuration }

/** As {@link DURATION}; a number alone means seconds, and may be 0. */
export const SECONDS: ValueType<number> = {
  hint: 'DURATION',
  parse: (source, text) =>
    parseDuration(source, /^\d+$/.test(text.trim()) ? `${text.trim()}s` : text),
}

export const PORT: ValueType<number> = {
  hint: 'PORT',
  parse: (source, text) => {
    if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT) return Number(text)
    throw new ConfigError(`${source}: expected a port, got "${text}"`, {
      hint: 'Give a number from 1 to 65535; 0 means any free port.',
    })
  },
}

const MAX_PORT = 65_535

/** A number of bytes, with k, m or g for the binary multiples. */
export const BYTES: ValueType<number> = {
  hint: 'BYTES',
  parse: (source, text) => {
    const [, digits, unit = ''] = /^(\d{1,12})([kmg]?)b?$/i.exec(text.trim()) ?? []
    const bytes = Number(digits) * (MULTIPLES[unit.toLowerCase()] ?? 1)
    if (bytes >= 1) return bytes
    throw new ConfigError(`${source}: expected a number of bytes, got "${text}"`, {
      hint: 'Give a number of 1 or more, optionally with k, m or g: 500k, 16m, 1g.',
    })
  },
}

const MULTIPLES: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** On or off: as a flag it needs no value. */
export const SWITCH: ValueType<boolean> = {
  hint: '',
  parse: (source, text) => {
    if (text === 'true' || text === 'false') return text === 'true'
    throw new ConfigError(`${source}: expected true or false, got "${text}"`, {
      hint: 'Write it in lower case.',
    })
  },
}

export function oneOf<const T extends string>(values: readonly T[]): ValueType<T> {
  return {
    hint: values.join('|'),
    parse: (source, text) => {
      const value = values.find((known) => known === text)
      if (value !== undefined) return value
      throw new ConfigError(`${source}: expected ${listOf(values)}, got "${text}"`, {
        hint: 'Use one of these.',
      })
    },
  }
}

/** `a, b or c` */
function listOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** Two texts and what stands between them. */
export type Pair = readonly [left: string, right: string]

/**
 * Pairs, separated by commas; in a file a list or a mapping, whose values may have commas in them.
 *
 * @param separator the first one in a pair counts
 */
export function pairsOf(separator: ':' | '=', hint: string): ValueType<readonly Pair[]> {
  const parsePairs = (source: string, texts: readonly string[]) =>
    texts.map((text): Pair => {
      const at = text.indexOf(separator)
      if (at > 0 && at < text.length - (separator === ':' ? 1 : 0)) {
        return [text.slice(0, at), text.slice(at + 1)]
      }
      // Not the text itself: what is left of a value with a comma in it may be a part of a secret.
      throw new ConfigError(`${source}: expected ${hint}, got a part without "${separator}"`, {
        hint:
          texts.length === 1
            ? `Write it as ${hint.replace(',…', '')}.`
            : separator === '='
              ? 'A value with a comma in it can only be given in a file: --env-vars-file, --config-file.'
              : 'A value with a comma in it can only be given in the file of --config-file.',
      })
    })
  const split = (text: string) => text.split(',').filter((part) => part.trim() !== '')
  return {
    hint,
    parse: (source, text) => parsePairs(source, split(text)),
    several: { separator, parse: parsePairs },
  }
}

/**
 * What a setting is: one word for its flag, its variable, its key in a file, its line in the help.
 *
 * @module
 */

import type { ValueType } from './value-type.ts'

export interface Setting<T = unknown> {
  readonly type: ValueType<T>
  /** As text, read like any other value. */
  readonly default?: string
  readonly description: string
  /** Never shown, in no message. */
  readonly isSecret?: true
}

/** Of one command, by the names of the flags. */
export type SettingTable = Readonly<Record<string, Setting>>

/** The values of all settings of a table; one without a default may be absent. */
export type SettingValues<Table extends SettingTable> = {
  readonly [Name in keyof Table & string as CamelCase<Name>]: ValueOf<Table[Name]>
}

type ValueOf<S> = S extends { type: ValueType<infer T>; default: string }
  ? T
  : S extends { type: ValueType<infer T> }
    ? T | undefined
    : never

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

export const VARIABLE_PREFIX = 'SEMAPHORE_AGENT_'

/** `auth-token-secret` → `SEMAPHORE_AGENT_AUTH_TOKEN_SECRET` */
export function variableOf(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll('-', '_')}`
}

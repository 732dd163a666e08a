/**
 * The variables of the short form: values as they are, those of a file, and secrets. Pure.
 *
 * @module
 */

import { parseEnv } from 'node:util'
import type { Expansion, Place } from './expansion.ts'
import type { Keys } from './paths.ts'
import { isRecord } from './shapes.ts'
import { encode, isAbsent, isPlain } from './short-form-items.ts'

export interface FileContext {
  /** Where `secrets` are taken from. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The text of `env_file`, when the document names one that could be read. */
  readonly envFile?: string | undefined
}

/** A variable of the long form, and what it was made from. */
interface Sourced {
  readonly from: Keys
  readonly variable: unknown
}

/**
 * Of two with one name the later counts: the file, the values, the secrets, those of the long form.
 *
 * @param fields of a job, or of a container, which has values only
 * @returns no field when there is nothing to change
 */
export function variablesOf(
  fields: Readonly<Record<string, unknown>>,
  place: Place,
  notes: Expansion,
  { environment, envFile = '' }: FileContext = { environment: {} },
): { readonly env_vars?: readonly unknown[] } {
  const own = fields['env_vars'] ?? []
  const isOfJob = place.to === ''
  const sourced = [
    ...ofFile(envFile),
    ...ofMapping(fields['env'], [...place.from, 'env'], notes),
    ...(isOfJob ? ofEnvironment(fields['secrets'], environment, notes) : []),
  ]
  if (sourced.length === 0 || !Array.isArray(own)) return {}
  const list = isOfJob ? 'env_vars' : `${place.to}.env_vars`
  for (const [index, { from }] of sourced.entries()) {
    for (const field of ['', '.name', '.value']) notes.trace(`${list}[${index}]${field}`, from)
  }
  for (const index of own.keys()) {
    const from = [...place.from, 'env_vars', index]
    notes.trace(`${list}[${sourced.length + index}]`, from)
  }
  return { env_vars: [...sourced.map(({ variable }) => variable), ...own] }
}

function ofFile(text: string): Sourced[] {
  return Object.entries(parseEnv(text)).map(([name, value = '']) => {
    return { from: ['env_file'], variable: { name, value: encode(value) } }
  })
}

function ofMapping(values: unknown, at: Keys, notes: Expansion): Sourced[] {
  if (isAbsent(values)) return []
  if (!isRecord(values)) {
    notes.report(at, 'expected names and their values, such as { CI: "true" }')
    return []
  }
  return Object.entries(values).map(([name, value]) => {
    const from = [...at, name]
    if (!isPlain(value)) notes.report(from, 'expected a value; "" is an empty one')
    return { from, variable: { name, value: encode(isPlain(value) ? String(value) : '') } }
  })
}

function ofEnvironment(
  names: unknown,
  environment: FileContext['environment'],
  notes: Expansion,
): Sourced[] {
  if (isAbsent(names)) return []
  if (!Array.isArray(names)) {
    notes.report(['secrets'], 'expected a list of names of variables, such as [NPM_TOKEN]')
    return []
  }
  return names.map((name: unknown, index) => {
    const from = ['secrets', index]
    const value = typeof name === 'string' ? environment[name] : undefined
    if (typeof name !== 'string') notes.report(from, 'expected the name of a variable')
    else if (value === undefined) {
      notes.report(
        from,
        `expected the variable ${name} in the environment of the agent, found none`,
      )
    }
    const encoded = encode(value ?? '')
    return { from, variable: { name: String(name), value: encoded, secret: true } }
  })
}

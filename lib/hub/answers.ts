/**
 * Reads the fields of an answer, which may contain anything.
 *
 * @module
 */

import { ControlPlaneError } from '../errors.ts'
import { oneLine } from '../log.ts'

export const TRIES_AGAIN = 'The agent tries again.'

/** How much of an answer a message quotes. */
const MAX_SHOWN_CHARACTERS = 300

type Fields = Readonly<Record<string, unknown>>

/** @throws {ControlPlaneError} for anything but a JSON object; it quotes nothing, as there may be secrets */
export function parseRecord(path: string, text: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined // reported below
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new ControlPlaneError(`${path} was answered with something other than a JSON object`, {
    hint: 'Check that the endpoint leads to the control plane, and not to another server or a proxy.',
  })
}

/** Empty when there is none. */
export function readText(fields: Fields, key: string): string {
  const value = fields[key]
  return typeof value === 'string' ? value : ''
}

/** @returns undefined when there is none */
export function readNumber(fields: Fields, key: string): number | undefined {
  const value = fields[key]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** `422: agent quota …`, for use in a message. */
export function quote(status: number, text: string): string {
  const shown = oneLine(text.trim()).slice(0, MAX_SHOWN_CHARACTERS)
  return shown === '' ? String(status) : `${status}: ${shown}`
}

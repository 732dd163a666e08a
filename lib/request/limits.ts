/**
 * What a container may use, as people write it, as numbers. Pure.
 *
 * @module
 */

/** The engine refuses less. */
const MIN_MEMORY_BYTES = 6 * 1024 ** 2

/** The engine's smallest share of a processor. */
const MIN_CPUS = 0.01

/** Beyond this a number is a mistake; whether the host has as many, the engine tells. */
const MAX_CPUS = 4_096

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }

/** @returns bytes; undefined for what is no amount of memory, or too little to run anything in */
export function parseMemory(value: number | string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,3})?)([bkmg]?)$/i.exec(String(value)) ?? []
  const bytes = Math.floor(Number(digits) * (UNITS[unit.toLowerCase() || 'b'] ?? 1))
  return bytes >= MIN_MEMORY_BYTES && Number.isSafeInteger(bytes) ? bytes : undefined
}

/** @returns how many processors' time; undefined for what is no such number */
export function parseCpus(value: number | string): number | undefined {
  const cpus = /^\d+(?:\.\d+)?$/.test(String(value)) ? Number(value) : Number.NaN
  return cpus >= MIN_CPUS && cpus <= MAX_CPUS ? cpus : undefined
}

/**
 * The clock of the log.
 *
 * @module
 */

/** Whole unix seconds, as every timestamp of the event log is (contract, section 3). */
export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}

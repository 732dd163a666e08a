/**
 * The clock of the log.
 *
 * @module
 */

/** Whole unix seconds, as every timestamp of the event log is (see lib/events/README.md). */
export function nowInSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}

/** A job's events as blocks, which is what most tests ask about. */

import type { JobEvent } from '../../lib/events/event.ts'

export interface Block {
  readonly directive: string
  readonly output: string
  /** Undefined while it is open. */
  readonly exitCode: number | undefined
}

/** @throws {Error} when the events are not whole blocks, one after the other */
export function blocksOf(events: readonly JobEvent[]): Block[] {
  const blocks: Block[] = []
  let open: Block | undefined
  for (const event of events) {
    if (event.event === 'cmd_started') {
      if (open !== undefined) throw new Error(`"${open.directive}" was not finished`)
      open = { directive: event.directive, output: '', exitCode: undefined }
    } else if (event.event === 'cmd_output') {
      open = { ...expectOpen(open, event.output), output: `${open?.output}${event.output}` }
    } else if (event.event === 'cmd_finished') {
      blocks.push({ ...expectOpen(open, event.directive), exitCode: event.exit_code })
      open = undefined
    }
  }
  return open === undefined ? blocks : [...blocks, open]
}

function expectOpen(open: Block | undefined, found: string): Block {
  if (open === undefined) throw new Error(`outside any block: ${found}`)
  return open
}

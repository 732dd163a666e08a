/**
 * Lines of a log as Server-Sent Events: the number of the line is the id of the event.
 *
 * @module
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

const NEWLINE = 0x0a

/** A comment: keeps proxies and clients from taking silence for a dead connection. */
const HEARTBEAT = Buffer.from(': still here\n\n')

export interface EventStreamOptions {
  /** Number of the first line. */
  readonly firstId: number
  readonly heartbeatMs: number
}

/**
 * @param chunks whole lines, cut anywhere, at rest only at the end of a line
 */
export async function* toServerSentEvents(
  chunks: AsyncIterable<Uint8Array>,
  { firstId, heartbeatMs }: EventStreamOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const framer = new EventFramer(firstId)
  const iterator = chunks[Symbol.asyncIterator]()
  try {
    let pending = iterator.next()
    for (;;) {
      const step = await withinTime(pending, heartbeatMs)
      if (step?.done) return
      yield step === undefined ? HEARTBEAT : framer.push(step.value)
      if (step !== undefined) pending = iterator.next()
    }
  } finally {
    await iterator.return?.()
  }
}

class EventFramer {
  #id: number
  #isInLine = false

  constructor(firstId: number) {
    this.#id = firstId
  }

  push(chunk: Uint8Array): Buffer {
    const parts: Uint8Array[] = []
    let begin = 0
    while (begin < chunk.length) {
      if (!this.#isInLine) parts.push(Buffer.from(`id: ${this.#id}\ndata: `))
      const newline = chunk.indexOf(NEWLINE, begin)
      const end = newline === -1 ? chunk.length : newline + 1
      parts.push(chunk.subarray(begin, end))
      this.#isInLine = newline === -1
      if (!this.#isInLine) {
        parts.push(Buffer.of(NEWLINE))
        this.#id += 1
      }
      begin = end
    }
    return Buffer.concat(parts)
  }
}

/** @returns `undefined` when the time is over first */
async function withinTime<T>(promise: Promise<T>, timeMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

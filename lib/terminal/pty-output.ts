/**
 * What comes out of a terminal. The kernel gives at most 4 KB at a time, for which a stream's own
 * way of reading allocates 64 KB each: a tenth of the time a flood of output takes. So all of it is
 * read into one buffer, and copied.
 *
 * @module
 */

import { ReadStream } from 'node:tty'

export interface PtyOutput {
  /** To write to and to destroy; not to be read from. */
  readonly stream: ReadStream
  /** Ends with the last process that holds the terminal. Leaving the loop closes it. */
  readonly output: AsyncGenerator<Uint8Array, void>
}

const BUFFER_BYTES = 64 * 1024

/** Chunks that wait for a slow reader; then the terminal waits. */
const MAX_WAITING = 16

export function readPty(fd: number): PtyOutput {
  const waiting: Buffer[] = []
  let failure: NodeJS.ErrnoException | undefined
  let isOver = false
  let wake: () => void = () => undefined

  const stream = new ReadStream(fd, {
    onread: {
      buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
      callback: (length, buffer) => {
        waiting.push(Buffer.from(buffer.subarray(0, length)))
        wake()
        return waiting.length < MAX_WAITING
      },
    },
  })
  stream.on('error', (error) => {
    failure ??= error
  })
  for (const event of ['end', 'close']) {
    stream.once(event, () => {
      isOver = true
      wake()
    })
  }
  stream.resume()

  async function* read(): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const chunk = waiting.shift()
        if (chunk !== undefined) yield chunk
        else if (isOver) break
        else {
          const news = Promise.withResolvers<void>()
          wake = news.resolve
          stream.resume() // it has paused itself if there was too much
          await news.promise
        }
      }
    } finally {
      stream.destroy()
    }
    if (failure !== undefined && failure.code !== END_OF_TERMINAL) throw failure
  }
  return { stream, output: read() }
}

/** The last process that closes the terminal makes the kernel answer EIO: that is its end of file. */
const END_OF_TERMINAL = 'EIO'

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
  const queue = new OutputQueue()
  const stream = new ReadStream(fd, {
    onread: {
      buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
      callback: (length, buffer) => queue.push(Buffer.from(buffer.subarray(0, length))),
    },
  })
  stream.on('error', (error) => queue.fail(error))
  for (const event of ['end', 'close']) stream.once(event, () => queue.end())
  stream.resume()
  return { stream, output: queue.read(stream) }
}

class OutputQueue {
  readonly #waiting: Buffer[] = []
  #failure: NodeJS.ErrnoException | undefined
  #isOver = false
  #wake: () => void = () => undefined

  /** @returns whether more may come at once */
  push(chunk: Buffer): boolean {
    this.#waiting.push(chunk)
    this.#wake()
    return this.#waiting.length < MAX_WAITING
  }

  fail(error: Error): void {
    this.#failure ??= error
  }

  end(): void {
    this.#isOver = true
    this.#wake()
  }

  async *read(stream: ReadStream): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        const chunk = this.#waiting.shift()
        if (chunk !== undefined) yield chunk
        else if (this.#isOver) break
        else {
          const news = Promise.withResolvers<void>()
          this.#wake = news.resolve
          stream.resume() // it has paused itself if there was too much
          await news.promise
        }
      }
    } finally {
      stream.destroy()
    }
    if (this.#failure !== undefined && this.#failure.code !== END_OF_TERMINAL) throw this.#failure
  }
}

/** The last process that closes the terminal makes the kernel answer EIO: that is its end of file. */
const END_OF_TERMINAL = 'EIO'

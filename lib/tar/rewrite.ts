/**
 * A tar on its way from one place to another, with other names or owners.
 *
 * @module
 */

import { END_OF_TAR, encodeHeader, type TarEntry } from './header.ts'
import { TarReader } from './reader.ts'

/** Stretches below this are copied, to be together: the engine sends 32 KiB at a time. */
const LARGE_BYTES = 65_536

/** Small runs are merged up to this size: fewer, larger writes save seconds per gigabyte. */
const GATHERED_BYTES = 524_288

type Change = (entry: TarEntry) => TarEntry | undefined

/**
 * Most headers become others of the same length, and are written where they stood: then nothing is
 * copied.
 *
 * @param tar in chunks that may be written to; each is done with when the next is asked for
 * @param change returns what becomes of an entry; undefined leaves it out, with its data
 * @returns pieces; one of 64 KiB or more may be a part of a chunk, and good only until the next one
 *   is asked for
 */
export async function* rewriteTar(
  tar: AsyncIterable<Uint8Array>,
  change: Change,
): AsyncGenerator<Buffer, void> {
  const reader = new TarReader()
  const pieces = new Pieces()
  let current: TarEntry | undefined
  for await (const chunk of tar) {
    for (const event of reader.push(chunk)) {
      if (event.type === 'entry') {
        current = change(event.entry)
        if (current !== undefined) pieces.add(encodeHeader(current, event.bytes))
      } else if (event.type !== 'close' && current !== undefined) {
        pieces.add(event.bytes)
      }
    }
    yield* pieces.take()
  }
  reader.end()
  pieces.add(END_OF_TAR)
  yield* pieces.takeAll()
}

class Pieces {
  #ready: Buffer[] = []
  /** What was added, as far as it is one in memory too. */
  #stretch: { readonly buffer: ArrayBufferLike; readonly start: number; end: number } | undefined
  /** Small stretches, from `start` to `end`; those before were taken. */
  #gathered: { readonly room: Buffer; start: number; end: number } = newRoom()

  add({ buffer, byteOffset, length }: Buffer): void {
    if (this.#stretch?.buffer === buffer && this.#stretch.end === byteOffset) {
      this.#stretch.end += length
    } else {
      this.#endStretch()
      this.#stretch = { buffer, start: byteOffset, end: byteOffset + length }
    }
  }

  /** All but small stretches that others may join. */
  take(): readonly Buffer[] {
    this.#endStretch()
    const ready = this.#ready
    this.#ready = []
    return ready
  }

  takeAll(): readonly Buffer[] {
    this.#endStretch()
    this.#endGathered()
    return this.take()
  }

  #endStretch(): void {
    if (this.#stretch === undefined) return
    const { buffer, start, end } = this.#stretch
    this.#stretch = undefined
    const bytes = Buffer.from(buffer, start, end - start)
    if (bytes.length < LARGE_BYTES) {
      this.#gather(bytes)
    } else {
      this.#endGathered()
      this.#ready.push(bytes)
    }
  }

  #gather(bytes: Buffer): void {
    if (bytes.length > this.#gathered.room.length - this.#gathered.end) {
      this.#endGathered()
      this.#gathered = newRoom()
    }
    this.#gathered.end += bytes.copy(this.#gathered.room, this.#gathered.end)
  }

  #endGathered(): void {
    const { room, start, end } = this.#gathered
    if (end > start) this.#ready.push(room.subarray(start, end))
    this.#gathered.start = end
  }
}

function newRoom() {
  return { room: Buffer.allocUnsafe(GATHERED_BYTES), start: 0, end: 0 }
}

/**
 * A tar on its way from one place to another, with other names or owners.
 *
 * @module
 */

import {
  END_OF_TAR,
  encodeHeader,
  padding,
  type TarEntry,
  type TarEvent,
  TarReader,
} from './tar.ts'

/**
 * Handed on at once. The engine sends 32 KiB at a time, and each piece has a long way to go: so
 * gathered, a gigabyte costs seconds less.
 */
const PIECE_BYTES = 524_288

/** Not worth a copy to be with others. */
const LARGE_BYTES = 65_536

type Change = (entry: TarEntry) => TarEntry | undefined

/**
 * @param tar in chunks that nobody writes to again
 * @param change returns what becomes of an entry; undefined leaves it out, with its data
 */
export async function* rewriteTar(
  tar: AsyncIterable<Uint8Array>,
  change: Change,
): AsyncGenerator<Buffer, void> {
  const reader = new TarReader()
  const pieces = new Pieces(change)
  for await (const chunk of tar) {
    for (const event of reader.push(chunk)) {
      pieces.add(event)
      if (pieces.bytes >= PIECE_BYTES) yield* pieces.take()
    }
  }
  reader.end()
  yield* pieces.take()
  yield END_OF_TAR
}

class Pieces {
  bytes = 0
  readonly #change: Change
  #ready: Buffer[] = []
  #small: Buffer[] = []
  #current: TarEntry | undefined

  constructor(change: Change) {
    this.#change = change
  }

  add(event: TarEvent): void {
    if (event.type === 'entry') {
      this.#current = this.#change(event.entry)
      if (this.#current !== undefined) this.#push(encodeHeader(this.#current))
    } else if (this.#current !== undefined) {
      this.#push(event.type === 'data' ? event.bytes : padding(this.#current.size))
    }
  }

  take(): readonly Buffer[] {
    this.#gather()
    const ready = this.#ready
    this.#ready = []
    this.bytes = 0
    return ready
  }

  #push(piece: Buffer): void {
    this.bytes += piece.length
    if (piece.length < LARGE_BYTES) {
      this.#small.push(piece)
    } else {
      this.#gather()
      this.#ready.push(piece)
    }
  }

  #gather(): void {
    if (this.#small.length > 0) this.#ready.push(Buffer.concat(this.#small))
    this.#small = []
  }
}

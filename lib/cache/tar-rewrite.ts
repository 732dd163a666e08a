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

/** Handed on at once: fewer, larger pieces keep the compressor and the engine busy. */
const PIECE_BYTES = 262_144

type Change = (entry: TarEntry) => TarEntry | undefined

/** @param change returns what becomes of an entry; undefined leaves it out, with its data */
export async function* rewriteTar(
  tar: AsyncIterable<Uint8Array>,
  change: Change,
): AsyncGenerator<Buffer, void> {
  const reader = new TarReader()
  const pieces = new Pieces(change)
  for await (const chunk of tar) {
    for (const event of reader.push(chunk)) {
      pieces.add(event)
      if (pieces.bytes >= PIECE_BYTES) yield pieces.take()
    }
    if (pieces.bytes > 0) yield pieces.take() // they may be parts of a chunk that is not ours
  }
  reader.end()
  yield END_OF_TAR
}

class Pieces {
  bytes = 0
  readonly #change: Change
  #pieces: Buffer[] = []
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

  take(): Buffer {
    const [only, ...others] = this.#pieces
    const whole = only !== undefined && others.length === 0 ? only : Buffer.concat(this.#pieces)
    this.#pieces = []
    this.bytes = 0
    return whole
  }

  #push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.bytes += piece.length
  }
}

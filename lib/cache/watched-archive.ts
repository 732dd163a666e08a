/**
 * An archive on its way into a store, whose own failure is distinguished from the store's.
 *
 * @module
 */

export class WatchedArchive implements AsyncIterable<Uint8Array> {
  readonly #archive: AsyncIterable<Uint8Array>
  #failure: { readonly error: unknown } | undefined

  constructor(archive: AsyncIterable<Uint8Array>) {
    this.#archive = archive
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    try {
      yield* this.#archive
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }

  /** What the archive could not be made of is not the fault of a server. */
  unwrapSourceError(otherwise: () => Error): unknown {
    return this.#failure === undefined ? otherwise() : this.#failure.error
  }
}

/**
 * What a job waits for at this moment, for a person who looks on. Whoever waits says how to describe
 * it; nothing is described unless somebody asks.
 *
 * @module
 */

export class Waits {
  readonly #describers = new Set<() => string>()

  /** @param describe in a few words, how far it has come. Disposed of when nothing is waited for any more */
  begin(describe: () => string): Disposable {
    const own = () => describe()
    this.#describers.add(own)
    return { [Symbol.dispose]: () => void this.#describers.delete(own) }
  }

  /** The empty string while nothing is waited for. */
  describe(): string {
    return [...this.#describers].map((describe) => describe()).join('; ')
  }
}

/** Bytes that come or go, as they are counted. */
export class ByteCount {
  readonly #startedAt = performance.now()
  #bytes = 0

  async *pass(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of chunks) {
      this.#bytes += chunk.length
      yield chunk
    }
  }

  /** @param total bytes, if it is known */
  describe(total?: number): string {
    return describeTransfer(this.#bytes, total, performance.now() - this.#startedAt)
  }
}

/** `12.3 of 45.6 MB, 3.1 MB/s, 11 s left` */
export function describeTransfer(bytes: number, total: number | undefined, ms: number): string {
  const megabytes = (count: number) => (count / 1e6).toFixed(1)
  const rate = ms > 0 ? (bytes / ms) * 1_000 : 0
  const amount =
    total === undefined ? megabytes(bytes) : `${megabytes(bytes)} of ${megabytes(total)}`
  const left =
    total === undefined || rate === 0 ? '' : `, ${Math.ceil((total - bytes) / rate)} s left`
  return `${amount} MB, ${megabytes(rate)} MB/s${left}`
}

/**
 * Everything that is wrong with what was given, reported at once: whoever corrects one setting is not
 * to find the next one at the next start.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'

export class Problems {
  readonly #found: ConfigError[] = []

  /** @throws what `read` throws, unless it is a {@link ConfigError}, which is kept */
  check<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      this.#keep(error)
      return undefined
    }
  }

  /** As {@link check}. */
  async checkLater<T>(reading: Promise<T>): Promise<T | undefined> {
    try {
      return await reading
    } catch (error) {
      this.#keep(error)
      return undefined
    }
  }

  get isEmpty(): boolean {
    return this.#found.length === 0
  }

  add(message: string, hint: string): void {
    this.#found.push(new ConfigError(message, { hint }))
  }

  /** @throws {ConfigError} the one that was found, or one with the messages of all */
  throwIfAny(): void {
    const [first, ...others] = this.#found
    if (first === undefined) return
    if (others.length === 0) throw first
    const lines = this.#found.map(({ message, hint }) => `  ${message}. ${hint}`)
    throw new ConfigError(`${lines.length} settings cannot be used:\n${lines.join('\n')}`, {
      hint: 'Correct them and start again.',
      cause: first.cause,
    })
  }

  #keep(error: unknown): void {
    if (!(error instanceof ConfigError)) throw error
    this.#found.push(error)
  }
}

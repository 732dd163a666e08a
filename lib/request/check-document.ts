/**
 * Checks a document against the schema of job requests, value by value, so that neither the time it
 * takes nor what there is to say about it grows with a document that is all wrong.
 *
 * @module
 */

import * as v from 'valibot'
import type { Problem } from '../errors.ts'
import { formatPath } from './paths.ts'
import { expected, isRecord, type ListShape, type RecordShape, shapeOf } from './shapes.ts'

/** Nobody corrects more than that in one go. */
export const MAX_PROBLEMS = 100

/** Of one object; no object of a job has more than 20. */
const MAX_FIELDS = 1_000

export class DocumentCheck {
  readonly problems: Problem[] = []
  /** Paths of keys the schema does not know, the first of them. */
  readonly unknownKeys: string[] = []
  unknownKeyCount = 0
  readonly #path: (number | string)[] = []

  get #isFull(): boolean {
    return this.problems.length >= MAX_PROBLEMS
  }

  /**
   * Yields between two values.
   *
   * @returns what the schema makes of the document; of no meaning once there are problems
   */
  *check(schema: v.GenericSchema, input: unknown): Generator<void, unknown, undefined> {
    const shape = shapeOf(schema)
    if (shape === undefined) return this.#checkValue(schema, input)
    if (input === undefined && shape.absent !== undefined) return shape.absent.value
    yield
    return shape.kind === 'list'
      ? yield* this.#checkList(shape, input)
      : yield* this.#checkRecord(shape, input)
  }

  /** null counts as absent. */
  *#checkRecord({ entries, what }: RecordShape, input: unknown) {
    if (!isRecord(input)) return this.#report(expected(what)({ input }))
    const keys = Object.keys(input)
    if (keys.length > MAX_FIELDS) {
      return this.#report(`expected at most ${MAX_FIELDS} fields, got ${keys.length}`)
    }
    const output: Record<string, unknown> = {}
    for (const [key, schema] of Object.entries(entries)) {
      if (this.#isFull) return
      const field = Object.hasOwn(input, key) ? (input[key] ?? undefined) : undefined
      output[key] = yield* this.#checkAt(key, schema, field)
    }
    for (const key of keys) {
      if (!Object.hasOwn(entries, key) && input[key] !== null) this.#noteUnknown(key)
    }
    return output
  }

  *#checkList({ item, maxItems }: ListShape, input: unknown) {
    if (!Array.isArray(input)) return this.#report(expected('a list')({ input }))
    if (input.length > maxItems) {
      return this.#report(`expected at most ${maxItems} entries, got ${input.length}`)
    }
    const output: unknown[] = []
    for (const [index, element] of input.entries()) {
      if (this.#isFull) return
      output.push(yield* this.#checkAt(index, item, element))
    }
    return output
  }

  *#checkAt(key: number | string, schema: v.GenericSchema, input: unknown) {
    this.#path.push(key)
    const output: unknown = yield* this.check(schema, input)
    this.#path.pop()
    return output
  }

  #checkValue(schema: v.GenericSchema, input: unknown): unknown {
    const { issues = [], output } = v.safeParse(schema, input)
    for (const { path, message } of issues) {
      this.#report(
        message,
        path?.map(({ key }) => key),
      )
    }
    return output
  }

  #report(message: string, below: readonly unknown[] = []): void {
    if (!this.#isFull)
      this.problems.push({ path: formatPath([...this.#path, ...below.map(toKey)]), message })
  }

  #noteUnknown(key: string): void {
    this.unknownKeyCount++
    if (this.unknownKeys.length < MAX_PROBLEMS) {
      this.unknownKeys.push(formatPath([...this.#path, key]))
    }
  }
}

/** valibot's own paths hold anything. */
function toKey(key: unknown): number | string {
  return typeof key === 'number' ? key : String(key)
}

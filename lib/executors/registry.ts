/**
 * The kinds of executors there are: nothing else lists them or tells them apart.
 *
 * @module
 */

import type { ExecutorName } from '../request/job-request.ts'
import { containerKind } from './container/kind.ts'
import { hostKind } from './host/kind.ts'
import type { ExecutorKind } from './kind.ts'

export const EXECUTOR_KINDS: readonly ExecutorKind[] = [hostKind, containerKind]

/** @throws {RangeError} for a name that only an agent of another version knows */
export function kindOf(name: ExecutorName): ExecutorKind {
  const kind = EXECUTOR_KINDS.find((kind) => kind.name === name)
  if (kind === undefined) throw new RangeError(`there is no executor "${name}"`)
  return kind
}

/**
 * One harmless call of a control plane, and its outcome.
 *
 * @module
 */

import { baseUrlOf } from '../hub/hub-context.ts'
import { askForType, type TypeFigures } from '../metrics/type-figures.ts'
import { createOutboundClient } from '../outbound.ts'
import type { StartConfig } from '../settings/start-config.ts'

export type Probe =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly figures: TypeFigures | undefined
      /** How far the server's clock is ahead of this machine's, in milliseconds; undefined without a `Date`. */
      readonly aheadMs: number | undefined
    }
  | { readonly kind: 'none'; readonly code: string; readonly reason: string }

/** Shorter than the limit of a check, so that the outcome can be reported. */
const TIMEOUT_MS = 4_000

/** Sent in place of a missing token: the server refuses it, which shows that it answers. */
const NO_TOKEN = 'none'

/** @returns `none` when there was no answer; never rejects */
export async function probe(
  config: Pick<StartConfig, 'endpoint' | 'noHttps'>,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Probe> {
  const client = createOutboundClient()
  const baseUrl = baseUrlOf(config)
  try {
    const begunAt = Date.now()
    const question = { baseUrl, token: token ?? NO_TOKEN, client, timeoutMs: TIMEOUT_MS, signal }
    const { status, figures, date } = await askForType(question)
    const here = (begunAt + Date.now()) / 2
    const there = Date.parse(date)
    return {
      ...{ kind: 'answer', status, figures },
      aheadMs: Number.isNaN(there) ? undefined : there - here,
    }
  } catch (error) {
    return { kind: 'none', ...explain(error) }
  } finally {
    await client.close()
  }
}

/** The system's own error is usually the innermost cause. */
function explain(error: unknown): { readonly code: string; readonly reason: string } {
  const { code, message, name, cause, errors } = error as NodeJS.ErrnoException & {
    readonly cause?: unknown
    readonly errors?: readonly unknown[]
  }
  const inner = errors?.[0] ?? cause
  if (inner instanceof Error) return explain(inner)
  return { code: code ?? name, reason: message || name }
}

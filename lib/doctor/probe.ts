/**
 * One harmless call of a control plane, and what came of it.
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
      /** The server's clock before this machine's, in milliseconds; undefined when it did not tell. */
      readonly aheadMs: number | undefined
    }
  | { readonly kind: 'none'; readonly code: string; readonly reason: string }

/** Shorter than the limit of a check, so that the outcome can be reported. */
const TIMEOUT_MS = 4_000

/** What is not given is sent as this: the server refuses it, and is there. */
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

/** The system's own word for it is in the innermost cause, as a rule. */
function explain(error: unknown): { readonly code: string; readonly reason: string } {
  const { code, message, name, cause, errors } = error as NodeJS.ErrnoException & {
    readonly cause?: unknown
    readonly errors?: readonly unknown[]
  }
  const inner = errors?.[0] ?? cause
  if (inner instanceof Error) return explain(inner)
  return { code: code ?? name, reason: message || name }
}

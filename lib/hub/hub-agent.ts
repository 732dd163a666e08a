/**
 * One agent, from its registration to its end: one session after another, usually just one.
 *
 * @module
 */

import { Deadline } from '../async/abort.ts'
import { retry } from '../async/retry.ts'
import {
  type AgentError,
  ControlPlaneError,
  explain,
  messageOf,
  NameTakenError,
  RegistrationRefusedError,
} from '../errors.ts'
import type { JobResult } from '../events/event.ts'
import { type Logger, oneLine } from '../log.ts'
import type { AgentMemory, KeptRegistration } from './agent-memory.ts'
import { CauseLog } from './cause-log.ts'
import { ControlPlane, type RegisteredAgent } from './control-plane.ts'
import { baseUrlOf, type HubContext } from './hub-context.ts'
import { register } from './register.ts'
import { fingerprintOf, registrationOf } from './registration-body.ts'
import { Session, type SessionEnd } from './session.ts'
import type { ShutdownReason } from './state.ts'

export interface HubAgentOptions {
  readonly context: HubContext
  readonly memory: AgentMemory
  /** To register with. */
  readonly name: string
  /** It only finishes what an earlier process left, since fewer agents are configured now. */
  readonly isSurplus: boolean
  readonly log: Logger
}

export type AgentEnd =
  | {
      readonly kind: 'ended'
      readonly reason: ShutdownReason
      readonly results: readonly JobResult[]
    }
  | { readonly kind: 'failed'; readonly error: AgentError }

/** One second apart; after that the agent gives up, and the control plane notices by itself. */
const DISCONNECT_TIMES = 100
const DISCONNECT_PAUSE_MS = 1_000
const DISCONNECT_CALL_MS = 5_000
const DISCONNECT_LIMIT_MS = 120_000

export class HubAgent {
  readonly #options: HubAgentOptions
  readonly #fingerprint: string
  readonly #interrupted = new AbortController()
  readonly #stopped = new AbortController()
  readonly #results: JobResult[] = []
  #session: Session | undefined

  constructor(options: HubAgentOptions) {
    this.#options = options
    this.#fingerprint = fingerprintOf(options.context.settings)
  }

  get isSurplus(): boolean {
    return this.#options.isSurplus
  }

  /** The first signal. Repeatable. */
  interrupt(): void {
    this.#interrupted.abort()
    this.#session?.interrupt()
  }

  /** The second signal. Repeatable. */
  stopNow(): void {
    this.#stopped.abort()
    this.#session?.stopNow()
  }

  /** Never rejects for what the control plane does. */
  async run(): Promise<AgentEnd> {
    for (;;) {
      const registration = await this.#findRegistration()
      if (registration === undefined) return this.#ended('INTERRUPTED')
      if ('error' in registration) return { kind: 'failed', ...registration }
      const end = await this.#work(registration)
      if (end.kind === 'silent') return this.#ended('UNABLE_TO_SYNC')
      if (end.kind !== 'unknown') await this.#disconnect(registration)
      await this.#forget(end)
      if (end.kind === 'shutdown') return this.#ended(end.reason)
      if (this.#interrupted.signal.aborted) return this.#ended('INTERRUPTED')
      if (this.#options.isSurplus) return this.#ended('UNKNOWN')
    }
  }

  /** @returns undefined when there is none and none is needed any more */
  async #findRegistration(): Promise<KeptRegistration | { error: AgentError } | undefined> {
    const { isSurplus, log, memory } = this.#options
    const kept = memory.registration
    if (kept !== undefined) {
      log.info(`Resuming the registration as ${oneLine(kept.name)}`)
      return kept
    }
    if (isSurplus || this.#interrupted.signal.aborted) return undefined
    try {
      return await this.#register()
    } catch (error) {
      if (this.#interrupted.signal.aborted) return undefined
      if (error instanceof RegistrationRefusedError || error instanceof NameTakenError) {
        log.error(explain(error))
        return { error }
      }
      throw error
    }
  }

  async #register(): Promise<KeptRegistration> {
    const { context, log, memory, name: wanted } = this.#options
    const { settings, client } = context
    const { token, name } = await register({
      controlPlane: new ControlPlane(baseUrlOf(settings), client),
      token: settings.token,
      registration: registrationOf(wanted, settings),
      ...{ log, signal: this.#interrupted.signal },
    })
    const registration = {
      name,
      token,
      baseUrl: baseUrlOf(settings),
      fingerprint: this.#fingerprint,
    }
    await memory.setRegistration(registration).catch((error: unknown) => {
      log.error(
        `The registration could not be saved and will be lost if the agent is killed: ${explain(error)}`,
      )
    })
    log.info(`Registered as ${oneLine(name)} with ${settings.endpoint}`)
    return registration
  }

  async #work(registration: KeptRegistration): Promise<SessionEnd> {
    const { context, isSurplus, log, memory } = this.#options
    const isOutdated = isSurplus || registration.fingerprint !== this.#fingerprint
    if (isOutdated && memory.job === undefined) return { kind: 'outdated' }
    const session = new Session({
      ...{ context, memory, log, isOutdated, agent: this.#agentOf(registration) },
      metrics: context.metrics.forAgent(registration.name),
    })
    this.#session = session
    if (this.#interrupted.signal.aborted) session.interrupt()
    const end = await session.run()
    this.#session = undefined
    this.#results.push(...session.results)
    return end
  }

  async #disconnect(registration: KeptRegistration): Promise<void> {
    const { log } = this.#options
    const agent = this.#agentOf(registration)
    const causes = new CauseLog(log, 'Disconnecting')
    const delaysMs = Array.from({ length: DISCONNECT_TIMES - 1 }, () => DISCONNECT_PAUSE_MS)
    const { signal: stopped } = this.#stopped
    // Who has stopped a job by a second signal gets one try: the name would stay taken for minutes.
    using deadline = stopped.aborted
      ? new Deadline(DISCONNECT_CALL_MS)
      : new Deadline(DISCONNECT_LIMIT_MS, stopped)
    const { signal } = deadline
    try {
      await retry(() => agent.disconnect({ signal, timeoutMs: DISCONNECT_CALL_MS }), {
        ...{ delaysMs, signal, onRetry: (error) => causes.failed(error) },
        isRetryable: (error) => error instanceof ControlPlaneError,
      })
      log.info(`Disconnected from the control plane as ${oneLine(registration.name)}`)
    } catch (error) {
      log.warn(`The agent ends without disconnecting: ${messageOf(error)}`)
    }
  }

  async #forget({ kind }: SessionEnd): Promise<void> {
    const { isSurplus, log, memory } = this.#options
    const forgotten =
      kind === 'shutdown' || isSurplus ? memory.remove() : memory.forgetRegistration()
    await forgotten.catch((error: unknown) => log.error(explain(error)))
  }

  #agentOf({ baseUrl, token }: KeptRegistration): RegisteredAgent {
    return new ControlPlane(baseUrl, this.#options.context.client).of(token)
  }

  #ended(reason: ShutdownReason): AgentEnd {
    return { kind: 'ended', reason, results: this.#results }
  }
}

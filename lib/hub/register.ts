/**
 * Registers an agent, however long that takes.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { backoff } from '../async/retry.ts'
import { ControlPlaneError, NameTakenError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { CauseLog } from './cause-log.ts'
import type { ControlPlane, Registration } from './control-plane.ts'
import { judgeAnswer, type Registered, type RegistrationAnswer } from './refusals.ts'

export interface RegisterOptions {
  readonly controlPlane: ControlPlane
  /** The registration token. */
  readonly token: string
  readonly registration: Registration
  readonly log: Logger
  readonly signal: AbortSignal
  readonly pauses?: RegistrationPauses
}

/** In milliseconds. */
export interface RegistrationPauses {
  /** After a temporary failure, growing. */
  readonly firstMs: number
  readonly maxMs: number
  /** While another agent has to end first. */
  readonly occupiedMs: number
  /** For the name of an agent that has crashed. */
  readonly nameMs: number
}

/** A lost agent's name is free after 1, 3 or 15 minutes, see section 5 of the control plane's rules. */
const PAUSES: RegistrationPauses = {
  firstMs: 1_000,
  maxMs: 30_000,
  occupiedMs: 30_000,
  nameMs: 16 * 60_000,
}

const JITTER = 0.3

/**
 * Tries again as long as that may help.
 *
 * @throws {RegistrationRefusedError} when it cannot help
 * @throws {NameTakenError} when another agent kept the name
 * @throws {Error} when the signal is aborted
 */
export async function register(options: RegisterOptions): Promise<Registered> {
  const { registration, log, signal, pauses = PAUSES } = options
  const { firstMs, maxMs, occupiedMs, nameMs } = pauses
  const causes = new CauseLog(log, 'The registration')
  const passing = backoff({ firstMs, maxMs, jitter: JITTER })
  const occupied = backoff({ firstMs: occupiedMs, maxMs: occupiedMs, jitter: JITTER })
  const nameDeadline = performance.now() + nameMs
  for (;;) {
    const answer = await tryOnce(options)
    if (answer.kind === 'registered') return answer.registered
    const { kind, error } = answer
    if (kind === 'refused') throw error
    causes.failed(error)
    if (kind === 'taken' && performance.now() > nameDeadline) {
      throw new NameTakenError(`The name ${registration.name} is still taken`, {
        hint: 'Give this agent another --name, or stop the agent that has it.',
        cause: error,
      })
    }
    await sleep((kind === 'passing' ? passing : occupied).next().value, undefined, { signal })
  }
}

async function tryOnce(options: RegisterOptions): Promise<RegistrationAnswer> {
  const { controlPlane, token, registration, signal } = options
  try {
    const answer = await controlPlane.register(token, registration, { signal })
    return judgeAnswer(answer, registration.name)
  } catch (error) {
    if (error instanceof ControlPlaneError) return { kind: 'passing', error }
    throw error
  }
}

/**
 * What an answer to a registration means. Pure.
 *
 * @module
 */

import { type AgentError, ControlPlaneError, RegistrationRefusedError } from '../errors.ts'
import type { TextResponse } from '../outbound.ts'
import { parseRecord, quote, readText, TRIES_AGAIN } from './answers.ts'

export interface Registered {
  /** The control plane may have changed it. */
  readonly name: string
  /** For all further calls; it does not expire. */
  readonly token: string
}

export type RegistrationAnswer =
  | { readonly kind: 'registered'; readonly registered: Registered }
  /** `refused`: for good. `quota`, `taken`: until another agent is gone. `passing`: temporarily. */
  | { readonly kind: 'passing' | 'quota' | 'refused' | 'taken'; readonly error: AgentError }

const TOKEN_HINT =
  'Check that the registration token is complete and belongs to this endpoint: both are on the page of the agent type.'

/** @param ownName for an answer without one */
export function judgeAnswer({ status, text }: TextResponse, ownName: string): RegistrationAnswer {
  if (status >= 200 && status < 300) return judgeSuccess(text, ownName)
  const reason = `The control plane refused to register the agent, ${quote(status, text)}`
  const refused = (hint: string) =>
    ({ kind: 'refused', error: new RegistrationRefusedError(reason, { hint }) }) as const
  const later = (kind: 'passing' | 'quota' | 'taken', hint: string) =>
    ({ kind, error: new ControlPlaneError(reason, { status, hint }) }) as const

  if (status === 401 || status === 404) return refused(TOKEN_HINT)
  if (status === 422 && /agent quota/i.test(text)) {
    return later('quota', 'The agent registers as soon as another one ends or the quota is raised.')
  }
  if (status === 400 && /agent can'?t be registered/i.test(text)) {
    return later(
      'taken',
      'An agent of this name is already registered. If it has crashed, its name is free again after 15 minutes; otherwise give this one another --name.',
    )
  }
  if (status === 400 || status === 422) return refused('Change the setting that the answer names.')
  return later('passing', TRIES_AGAIN)
}

function judgeSuccess(text: string, ownName: string): RegistrationAnswer {
  try {
    const fields = parseRecord('/register', text)
    const token = readText(fields, 'token') || readText(fields, 'access_token')
    const name = readText(fields, 'name') || ownName
    if (token !== '') return { kind: 'registered', registered: { name, token } }
  } catch (error) {
    if (error instanceof ControlPlaneError) return { kind: 'passing', error }
    throw error
  }
  const message = '/register was answered without a token'
  return { kind: 'passing', error: new ControlPlaneError(message, { hint: TRIES_AGAIN }) }
}

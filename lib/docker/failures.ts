/**
 * What the engine's refusals and its silence mean.
 *
 * @module
 */

import { DockerRefusedError, DockerUnreachableError } from '../errors.ts'

export interface Unanswered {
  readonly method: string
  /** To the first byte of the answer. */
  readonly timeoutMs: number
}

const CLOSED = 'it closed the connection before its response was complete'

/** undici's codes and the system's, and what they mean to whoever waits for an answer. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  UND_ERR_SOCKET: CLOSED,
  UND_ERR_BODY_TIMEOUT: 'its response was cut off',
}

const ACCESS_HINT =
  'Let the user of the agent use the socket: add it to the socket’s group (usually "docker") and start the agent again.'

/** With these nothing of the call has reached it. */
const NOT_CONNECTED = ['EACCES', 'ECONNREFUSED', 'ENOENT', 'UND_ERR_CONNECT_TIMEOUT']

/** What of a call its refusal is described with. */
export interface Refused {
  readonly action: string
  readonly hints?: Readonly<Record<number, string>>
}

const DEFAULT_HINT = 'See the log of the Docker Engine for details.'

/** Reasons that say more than the status of the answer, and what to do about them. */
const ADVICE: ReadonlyArray<readonly [reason: RegExp, hint: string]> = [
  [
    /no space left on device/i,
    'The disk of the Docker Engine is full: free space on it (docker system df shows what uses it).',
  ],
  [
    /address pool/,
    'Every job has a network, and an engine has room for 30 by default: run fewer jobs at a time, remove networks nobody uses, or give it more and smaller "default-address-pools" in its daemon.json.',
  ],
  [
    /\bx509: /,
    'The engine does not trust the registry’s certificate: put the certificate of its authority into /etc/docker/certs.d/HOST:PORT/ca.crt on the host of the engine.',
  ],
  [
    /server gave HTTP response to HTTPS client/,
    'The registry has no TLS: give it a certificate, or name it in "insecure-registries" of the engine’s daemon.json.',
  ],
  [
    /no matching manifest|does not match the specified platform/,
    'The image does not exist for that platform: check the platform of the container in the job, or build the image for it.',
  ],
  [
    /no basic auth credentials|pull access denied|requested access to the resource is denied/,
    'Check the name; if the image is private, add a login for its registry to compose.image_pull_credentials.',
  ],
]

/** @param text the body of the answer */
export function refusal(
  { action, hints }: Refused,
  status: number,
  text: string,
): DockerRefusedError {
  const reason = reasonIn(text)
  const hint = adviceOn(reason, hints?.[status] ?? DEFAULT_HINT)
  return new DockerRefusedError(action, status, reason, hint)
}

/** What to do about a failure of which the engine gave this reason. */
export function adviceOn(reason: string, otherwise: string): string {
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? otherwise
}

export function unreachable(
  socketPath: string,
  cause: unknown,
  { method, timeoutMs }: Unanswered,
): DockerUnreachableError {
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string }
  const reason =
    code === 'UND_ERR_HEADERS_TIMEOUT' ? `no answer within ${timeoutMs / 1_000} s` : REASONS[code]
  return new DockerUnreachableError(socketPath, cause, {
    reason: reason ?? message,
    mayHaveActed: method !== 'GET' && !NOT_CONNECTED.includes(code),
    hint: code === 'EACCES' ? ACCESS_HINT : undefined,
  })
}

/** Whether an error says that the connection ended in the middle of a call. */
export function wasCutOff(error: unknown): boolean {
  if (!(error instanceof DockerUnreachableError)) return false
  const { code = '' } = error.cause as { code?: string }
  return REASONS[code] === CLOSED
}

/** For an answer that came, but is not whole. */
export function halfAnswered(socketPath: string, cause: unknown): DockerUnreachableError {
  return new DockerUnreachableError(socketPath, cause, {
    reason: 'the response was incomplete',
    mayHaveActed: true,
  })
}

/** The engine gives its reason as `message`; a proxy in front of it may send plain text. */
function reasonIn(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    if (typeof message === 'string') return message.trim()
  } catch {
    // Not JSON: the text itself is the reason.
  }
  return text.trim() || 'no reason given'
}

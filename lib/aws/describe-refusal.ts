/**
 * Why AWS refused, and what to do about it. Pure.
 *
 * @module
 */

export interface RefusedCall {
  readonly action: string
  readonly region: string
}

export interface RefusalAnswer {
  readonly status: number
  readonly date: string
  readonly text: string
}

export interface Refusal {
  readonly message: string
  readonly hint: string
  /** Whether the same call may succeed a little later. */
  readonly transient: boolean
}

/** AWS takes signatures that are up to five minutes off. */
const MAX_SKEW_MS = 300_000

/** The answer was some time on its way. */
const SKEW_TOLERANCE_MS = 10_000

/** Comes with status 400. */
const THROTTLED = /^(Throttl|TooManyRequests|RequestLimitExceeded)/

/** By how the service's code for it begins: ECR and STS name the same thing differently. */
const HINTS: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /^(UnrecognizedClient|InvalidClientTokenId)/,
    'Check AWS_ACCESS_KEY_ID, and AWS_SESSION_TOKEN if the keys are temporary.',
  ],
  [
    /^(InvalidSignature|SignatureDoesNotMatch)/,
    'Check AWS_SECRET_ACCESS_KEY, and that AWS_REGION is the one of the registry.',
  ],
  [/^ExpiredToken/, 'The temporary keys have expired: give the job new ones.'],
  [/^AccessDenied/, 'Give the owner of the keys the permission ecr:GetAuthorizationToken.'],
  [THROTTLED, 'AWS is throttling this account: run the job again later.'],
]

const DEFAULT_HINT = 'Check the keys and AWS_REGION of the credential.'

/** @param now of this host, unix milliseconds */
export function describeRefusal(
  { action, region }: RefusedCall,
  { status, date, text }: RefusalAnswer,
  now: number,
): Refusal {
  const { code, reason } = readRefusal(text)
  const why = [code, reason].filter((part) => part !== '').join(': ') || 'no reason given'
  const message = `AWS refused to ${action} in ${region}: ${why} (HTTP ${status})`
  const skew = now - Date.parse(date)
  if (status < 500 && Math.abs(skew) > MAX_SKEW_MS - SKEW_TOLERANCE_MS) {
    const minutes = Math.round(Math.abs(skew) / 60_000)
    const side = skew > 0 ? 'ahead of' : 'behind'
    return {
      transient: false,
      message: `${message}. The clock of this host is ${minutes} minutes ${side} that of AWS, which tolerates 5`,
      hint: 'Set the clock, e.g. by "timedatectl set-ntp true" or by starting chrony, and run the job again.',
    }
  }
  const hint = HINTS.find(([pattern]) => pattern.test(code))?.[1]
  const transient = status >= 500 || status === 429 || THROTTLED.test(code)
  return { message, hint: hint ?? DEFAULT_HINT, transient }
}

/** ECR answers in JSON, STS in XML; a proxy in between in anything. */
function readRefusal(text: string): { readonly code: string; readonly reason: string } {
  const fromXml = (tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1] ?? ''
  try {
    const answer = JSON.parse(text) as { __type?: unknown; message?: unknown; Message?: unknown }
    const code = String(answer.__type ?? '').replace(/^.*#/, '')
    return { code, reason: firstLine(String(answer.message ?? answer.Message ?? '')) }
  } catch {
    return { code: fromXml('Code'), reason: firstLine(fromXml('Message')) }
  }
}

/** The lines after it repeat what was signed, a session token among it. */
function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? ''
}

/**
 * What one call reveals about a control plane: whether it answers, is trusted, has the same time, and
 * accepts the registration token.
 *
 * @module
 */

import { lookup } from 'node:dns/promises'
import { ok, problem, type Verdict, warning } from '../checks/check.ts'
import { ConfigError } from '../errors.ts'
import type { ConfigSources } from '../settings/sources.ts'
import { loadStartConfigButToken, type StartConfig } from '../settings/start-config.ts'
import { type Probe, probe } from './probe.ts'

type Endpoint = Pick<StartConfig, 'endpoint' | 'noHttps'>

/** @returns undefined for an IP address, which needs no name server */
export async function examineAddress(
  { endpoint }: Endpoint,
  answer: Probe,
): Promise<Verdict | undefined> {
  const { hostname } = new URL(`https://${endpoint}`)
  if (/^\[|^[\d.]+$/.test(hostname)) return undefined
  try {
    const addresses = await lookup(hostname, { all: true })
    return ok(`${hostname} is ${addresses.map(({ address }) => address).join(', ')}`)
  } catch (error) {
    if (answer.kind === 'answer') return ok(`${hostname} is known to the proxy`)
    return problem(
      `${hostname} cannot be resolved: ${(error as Error).message}`,
      'Check --endpoint, and the name servers of this machine: getent hosts NAME, /etc/resolv.conf.',
    )
  }
}

/** @returns undefined when the name cannot be resolved, which is reported elsewhere */
export function examineConnection(
  { endpoint, noHttps }: Endpoint,
  answer: Probe,
): Verdict | undefined {
  if (answer.kind === 'answer') {
    if (!noHttps) return ok(`${endpoint} answers, and its certificate is trusted`)
    return warning(
      `${endpoint} answers over plain HTTP`,
      'Anyone on the network path can read tokens and jobs: leave out --no-https if it supports HTTPS.',
    )
  }
  const { code, reason } = answer
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return undefined
  const [what, remedy] = FAILURES.find(([pattern]) => pattern.test(code))?.slice(1) ?? []
  return problem(
    `${endpoint} does not answer: ${typeof what === 'string' ? what : reason}`,
    typeof remedy === 'string' ? remedy : 'Check --endpoint, the network and HTTPS_PROXY.',
  )
}

/** By the code of Node, OpenSSL or undici. */
const FAILURES: readonly (readonly [code: RegExp, what: string, remedy: string])[] = [
  [
    /SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY_LEAF/,
    'its certificate was issued by an authority that is not trusted here',
    'If it is a private one, set NODE_EXTRA_CA_CERTS or SSL_CERT_FILE to the file with its certificate.',
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    'its certificate is not valid at this time',
    'Set the clock of this machine if it is wrong; otherwise renew the certificate of the control plane.',
  ],
  [
    /ALTNAME/,
    'its certificate is for another name',
    'Give --endpoint the name for which the certificate was issued.',
  ],
  [
    /EPROTO|ERR_SSL|WRONG_VERSION/,
    'the server there does not speak TLS',
    'Check the port in --endpoint; for plain HTTP use --no-https.',
  ],
  [
    /ECONNREFUSED/,
    'nothing listens there',
    'Check the port in --endpoint, and that the control plane runs.',
  ],
  [
    /Timeout|TIMEOUT|TIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    'it cannot be reached',
    'Allow outbound connections to it in the firewall, or set HTTPS_PROXY to a proxy.',
  ],
]

/** Tokens for logs are valid for an hour, by either clock. */
const NOTABLE_MS = 30_000
const WRONG_MS = 300_000

/** @returns undefined when the server's response has no date */
export function examineClock(answer: Probe): Verdict | undefined {
  if (answer.kind === 'none' || answer.aheadMs === undefined) return undefined
  const { aheadMs } = answer
  const seconds = Math.round(Math.abs(aheadMs) / 1_000)
  if (Math.abs(aheadMs) < NOTABLE_MS) return ok('in step with that of the control plane')
  const message = `${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of the control plane`
  const remedy = 'Set it and keep it synchronized: timedatectl set-ntp true, or install chrony.'
  return Math.abs(aheadMs) < WRONG_MS ? warning(message, remedy) : problem(message, remedy)
}

const WRONG_TOKEN =
  'Copy it again from the page of the agent type, and check that it belongs to this control plane.'
const WRONG_SERVER =
  'Check --endpoint: it must be just the host name of the organization’s control plane.'

/** @returns undefined when there was no answer */
export function examineToken(answer: Probe): Verdict | undefined {
  if (answer.kind === 'none') return undefined
  const { status, figures } = answer
  if (figures !== undefined) {
    const { jobs, agents } = figures
    return ok(
      `is accepted; of its type ${agents.idle} agents are idle and ${agents.occupied} occupied, ${jobs.queued} jobs wait`,
    )
  }
  if (status === 401 || status === 403) return problem(`is refused (HTTP ${status})`, WRONG_TOKEN)
  if (status === 429 || status >= 500) {
    return warning(
      `could not be tried: the control plane answered ${status}`,
      'Try again in a few minutes.',
    )
  }
  return problem(
    `could not be tried: no control plane answers there (HTTP ${status})`,
    WRONG_SERVER,
  )
}

/**
 * @throws {ConfigError} when the control plane refuses the token, or the server is not a control plane;
 *   not when there is no answer, since that may change
 */
export async function requireAccepted(token: string, sources: ConfigSources): Promise<void> {
  const config = await loadStartConfigButToken(sources)
  const verdict = examineToken(await probe(config, token, new AbortController().signal))
  if (verdict?.state !== 'problem') return
  throw new ConfigError(`The registration token ${verdict.message}`, { hint: verdict.remedy ?? '' })
}

/** ECR and STS as far as a login needs them, on loopback: refuses what AWS refuses, in AWS's words. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  type Authorization,
  expectedSignature,
  parseAuthorization,
  type SignedRequest,
} from './aws-signature.ts'
import type { Registry } from './registry.ts'

export interface AwsAccount {
  readonly id: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Makes the keys temporary ones: they are worth nothing without it. */
  readonly sessionToken?: string
}

export interface AwsOptions {
  readonly region: string
  readonly account: AwsAccount
  /** By the id of the account they belong to. */
  readonly registries: Readonly<Record<string, Registry>>
  /** Between this host's clock and that of AWS. */
  readonly clockMs?: number
}

export interface Aws {
  readonly url: string
  /** Names of the operations that were signed rightly. */
  readonly granted: readonly string[]
  close(): Promise<void>
}

interface Refusal {
  readonly code: string
  readonly message: string
}

/** AWS takes no older signature, and none from the future. */
const MAX_SKEW_MS = 300_000

export async function startAws(options: AwsOptions): Promise<Aws> {
  const granted: string[] = []
  const server = createServer((request, response) => {
    void answer(options, granted, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    granted,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function answer(
  options: AwsOptions,
  granted: string[],
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '', url = '', headers } = incoming
  const request = { method, url, headers, body: await text(incoming) }
  const now = Date.now() + (options.clockMs ?? 0)
  response.setHeader('date', new Date(now).toUTCString())
  const service = headers['x-amz-target'] === undefined ? 'sts' : 'ecr'
  const refusal = check(request, service, options, now)
  if (service === 'sts') return answerSts(options, granted, request, refusal, response)
  answerEcr(options, granted, request, refusal, response)
}

function check(
  request: SignedRequest,
  service: string,
  { account, region }: AwsOptions,
  now: number,
): Refusal | undefined {
  const { headers } = request
  const authorization = parseAuthorization(headers.authorization)
  if (authorization === undefined || !coversWhatCounts(authorization, headers)) {
    return { code: 'IncompleteSignatureException', message: 'Not all that counts is signed.' }
  }
  const isKnown = authorization.accessKeyId === account.accessKeyId
  if (!isKnown || headers['x-amz-security-token'] !== account.sessionToken) {
    const message = 'The security token included in the request is invalid.'
    return { code: 'UnrecognizedClientException', message }
  }
  const skew = timeOf(String(headers['x-amz-date'])) - now
  if (Math.abs(skew) > MAX_SKEW_MS) {
    const message = `Signature expired: ${headers['x-amz-date']} is too far from ${new Date(now).toISOString()}`
    return { code: 'InvalidSignatureException', message }
  }
  if (authorization.region !== region || authorization.service !== service) {
    const message = `Credential should be scoped to a valid region, not '${authorization.region}'.`
    return { code: 'InvalidSignatureException', message }
  }
  if (
    expectedSignature(request, authorization, account.secretAccessKey) !== authorization.signature
  ) {
    // As AWS does it: the further lines repeat the token.
    const message = `The request signature we calculated does not match the signature you provided.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:${headers['x-amz-security-token']}'`
    return { code: 'InvalidSignatureException', message }
  }
  return undefined
}

/** @see "SignedHeaders" there: host, content-type and everything x-amz- */
function coversWhatCounts(
  { signedHeaders, date }: Authorization,
  headers: IncomingMessage['headers'],
): boolean {
  const counting = Object.keys(headers).filter(
    (name) => name === 'host' || name === 'content-type' || name.startsWith('x-amz-'),
  )
  const isSorted = [...signedHeaders].sort().join() === signedHeaders.join()
  const isSameDay = String(headers['x-amz-date']).startsWith(date)
  return isSorted && isSameDay && counting.every((name) => signedHeaders.includes(name))
}

function answerEcr(
  { registries }: AwsOptions,
  granted: string[],
  { headers, body }: SignedRequest,
  refusal: Refusal | undefined,
  response: ServerResponse,
): void {
  response.setHeader('content-type', 'application/x-amz-json-1.1')
  if (refusal !== undefined) {
    const { code, message } = refusal
    response
      .writeHead(400)
      .end(JSON.stringify({ __type: `com.amazon.coral.service#${code}`, message }))
    return
  }
  granted.push(String(headers['x-amz-target']).replace(/^.*\./, ''))
  const { registryIds } = JSON.parse(body) as { registryIds: readonly string[] }
  const authorizationData = registryIds.flatMap((id) => {
    const registry = registries[id]
    if (registry === undefined) return []
    const token = Buffer.from(`${registry.username}:${registry.password}`).toString('base64')
    return [{ authorizationToken: token, proxyEndpoint: `http://${registry.host}` }]
  })
  response.end(JSON.stringify({ authorizationData }))
}

function answerSts(
  { account }: AwsOptions,
  granted: string[],
  { body }: SignedRequest,
  refusal: Refusal | undefined,
  response: ServerResponse,
): void {
  response.setHeader('content-type', 'text/xml')
  if (refusal !== undefined) {
    const { code, message } = refusal
    const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`
    response.writeHead(403).end(`<ErrorResponse>${error}</ErrorResponse>`)
    return
  }
  granted.push(new URLSearchParams(body).get('Action') ?? '')
  response.end(
    `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::${account.id}:user/me</Arn><Account>${account.id}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
  )
}

/** `20150830T123600Z` */
function timeOf(stamp: string): number {
  return Date.parse(
    stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
  )
}

/**
 * One call of an AWS service: signed with Signature Version 4, its refusals explained.
 *
 * By hand, although the SDK has clients: those for ECR and STS would add 130 KB to a bundle that has the
 * SDK's S3 client already, take twice the time to load and 18 MB of memory, and the refusals would have
 * to be explained all the same.
 *
 * @module
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */

import { SignatureV4 } from '@smithy/signature-v4'
import { AwsError } from '../errors.ts'
import { postText, type TextResponse } from '../outbound.ts'
import { describeRefusal } from './describe-refusal.ts'
import { Sha256 } from './sha256.ts'

export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined
}

export interface AwsCall {
  /** Completes the sentence "AWS refused to …". */
  readonly action: string
  /** As signatures name it. */
  readonly service: 'ecr' | 'sts'
  readonly region: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

/** AWS answers within a second; a proxy on the way may take its time. */
const TIMEOUT_MS = 30_000

/**
 * @returns the text of the answer
 * @throws {AwsError} when AWS says no or nothing
 * @throws the signal's reason when it was aborted
 */
export async function signedPost(keys: AwsKeys, call: AwsCall): Promise<string> {
  const answer = await send(keys, call)
  if (answer.status === 200) return answer.text
  const { message, ...rest } = describeRefusal(call, answer, Date.now())
  throw new AwsError(message, rest)
}

async function send(keys: AwsKeys, call: AwsCall): Promise<TextResponse> {
  const { action, url, body, signal } = call
  const headers = await sign(keys, call)
  try {
    return await postText({ url, headers, body, timeoutMs: TIMEOUT_MS, signal })
  } catch (cause) {
    signal.throwIfAborted()
    const { host } = new URL(url)
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AwsError(`AWS cannot be reached at ${host} to ${action}: ${reason}`, {
      transient: true,
      hint: 'Check AWS_REGION, and that this host can reach AWS; HTTPS_PROXY and AWS_ENDPOINT_URL change the way there.',
      cause,
    })
  }
}

async function sign(
  { accessKeyId, secretAccessKey, sessionToken }: AwsKeys,
  { service, region, url, headers, body }: AwsCall,
): Promise<Record<string, string>> {
  const { protocol, host, hostname, port, pathname } = new URL(url)
  const signer = new SignatureV4({
    service,
    region,
    sha256: Sha256,
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
  })
  const signed = await signer.sign({
    method: 'POST',
    protocol,
    hostname,
    ...(port === '' ? {} : { port: Number(port) }),
    path: pathname,
    query: {},
    headers: { ...headers, host },
    body,
  })
  return signed.headers
}

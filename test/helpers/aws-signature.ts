/**
 * Checks a Signature Version 4 as AWS documents it, from nothing but the request as it arrived: it
 * shares no code with the signer.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */

import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface SignedRequest {
  readonly method: string
  /** Path and query, as sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Authorization {
  readonly accessKeyId: string
  /** `20150830` */
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
}

/** @returns undefined when it is not of that form */
export function parseAuthorization(header: string | undefined): Authorization | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header ?? '',
    )
  if (match === null) return undefined
  const [, accessKeyId = '', date = '', region = '', service = '', names = '', signature = ''] =
    match
  return { accessKeyId, date, region, service, signedHeaders: names.split(';'), signature }
}

/** What the signature of that request has to be. */
export function expectedSignature(
  request: SignedRequest,
  { date, region, service, signedHeaders }: Authorization,
  secretAccessKey: string,
): string {
  const scope = `${date}/${region}/${service}/aws4_request`
  const time = String(request.headers['x-amz-date'])
  const hash = sha256(canonicalRequest(request, signedHeaders))
  const text = ['AWS4-HMAC-SHA256', time, scope, hash].join('\n')
  const key = [date, region, service, 'aws4_request'].reduce<Buffer | string>(
    hmac,
    `AWS4${secretAccessKey}`,
  )
  return hmac(key, text).toString('hex')
}

function canonicalRequest(
  { method, url, headers, body }: SignedRequest,
  signedHeaders: readonly string[],
): string {
  const [path = '/', query = ''] = url.split('?')
  const lines = signedHeaders.map((name) => {
    const value = String(headers[name]).trim().replace(/ +/g, ' ')
    return `${name}:${value}\n`
  })
  const parts = query.split('&').sort().join('&')
  return [method, path, parts, lines.join(''), signedHeaders.join(';'), sha256(body)].join('\n')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

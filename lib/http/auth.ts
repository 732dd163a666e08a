/**
 * Who may talk to the agent: whoever shows a token signed with the shared secret (see lib/http/README.md).
 *
 * @module
 */

import { createHmac, createSecretKey } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { errors, jwtVerify } from 'jose'
import { ConfigError } from '../errors.ts'
import type { ServerEnv } from './stream-response.ts'

/** No `none`, and nothing asymmetric: the secret would be taken for a public key. */
const ALGORITHMS = ['HS256', 'HS384', 'HS512']

const MISSING = 'An authorization header is required'
const INVALID = 'Invalid authorization token'

/** A scheme's name knows no case (RFC 9110, section 11.1). */
const BEARER = /^bearer +([^ ]+) *$/i

/**
 * Refuses with 401 every request without a valid token, before its body is read. Nothing of a
 * token is kept or logged.
 *
 * @throws {ConfigError} when the secret is empty: anybody could sign with that
 */
export function requireToken(secret: string): MiddlewareHandler<ServerEnv> {
  const isValid = createVerifier(secret)
  return async (c, next) => {
    const header = c.req.header('authorization')
    if (header === undefined || header === '') return refusal(MISSING)
    if (!(await isValid(BEARER.exec(header)?.[1] ?? ''))) return refusal(INVALID)
    c.env?.trust?.()
    return await next()
  }
}

/** One HMAC over the token, good or bad: how long it takes tells nothing about the secret. */
function createVerifier(secret: string): (token: string) => Promise<boolean> {
  if (secret === '') {
    throw new ConfigError('The secret that signs authorization tokens is empty', {
      hint: 'Choose a long random one: --auth-token-secret-file FILE.',
    })
  }
  const key = createSecretKey(Buffer.from(secret))
  return async (token) => {
    try {
      await jwtVerify(token, key, { algorithms: ALGORITHMS })
      return true
    } catch (error) {
      if (!isAfterHmac(error)) createHmac('sha256', key).update(token).digest()
      return false
    }
  }
}

/** Whether jose came as far as the signature. */
function isAfterHmac(error: unknown): boolean {
  return (
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTInvalid
  )
}

/** A JSON string and a newline, as clients of old expect. */
function refusal(text: string): Response {
  return new Response(`${JSON.stringify(text)}\n`, {
    status: 401,
    headers: { 'content-type': 'application/json', 'www-authenticate': 'Bearer' },
  })
}

/**
 * Puts an app on a port, over TLS, where anybody may connect.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server'
import type { Hono } from 'hono'
import { ConfigError } from '../errors.ts'
import { descriptorLimit } from '../host/process-limits.ts'
import type { Logger } from '../log.ts'
import { bind } from './bind.ts'
import { answerBrokenRequest } from './broken-request.ts'
import { type ConnectionLimits, Connections } from './connections.ts'
import { messageResponse } from './responses.ts'
import type { ServerEnv } from './stream-response.ts'

export interface ListenOptions {
  readonly host: string
  /** 0 = any that is free. */
  readonly port: number
  /** Called at the start and at each {@link Listener.reloadTls}: reads the files again. */
  readonly tls: () => TlsMaterial
  readonly log: Logger
  readonly timeouts?: Partial<Timeouts>
  readonly limits?: ConnectionLimits
}

/** PEM. */
export interface TlsMaterial {
  readonly cert: Buffer | string
  readonly key: Buffer | string
}

/** In milliseconds. */
export interface Timeouts {
  /** For the TLS handshake, and again from there or the first byte of a request to the end of its headers. Default 5,000. */
  readonly headersMs: number
  /** From the first byte of a request to the end of its body. Default 120,000. */
  readonly requestMs: number
  /** A connection without a request. Default 75,000: longer than most proxies keep theirs. */
  readonly keepAliveMs: number
  /** A client that takes nothing of an answer that waits for it. Default 600,000. */
  readonly stalledMs: number
}

export interface Listener {
  readonly port: number
  /**
   * New connections get the certificate as it is now; a bad one changes nothing.
   *
   * @throws {ConfigError} when certificate and key cannot be used
   */
  reloadTls(): void
  /**
   * No new connections; answers under way may end, then what is left is cut off. Repeatable.
   *
   * @param limitMs for those answers. Default 5,000
   */
  close(limitMs?: number): Promise<void>
}

const DEFAULT_TIMEOUTS: Timeouts = {
  headersMs: 5_000,
  requestMs: 120_000,
  keepAliveMs: 75_000,
  stalledMs: 600_000,
}

/** How often Node looks for requests that are over time. */
const CHECK_MS = 1_000

const MAX_CONNECTIONS = 2_000

/** What one address may hold of the connections before it has shown a valid token. */
const STRANGERS_SHARE = 1 / 2

/** Ample for a token; beyond it the answer is 431. */
const MAX_HEADER_BYTES = 32 * 1024

const CLOSE_LIMIT_MS = 5_000

/** @throws {ConfigError} when the address cannot be had or certificate and key do not fit */
export async function listen(app: Hono<ServerEnv>, options: ListenOptions): Promise<Listener> {
  const times = { ...DEFAULT_TIMEOUTS, ...options.timeouts }
  const server = createSecureServer(options.tls, times)
  server.keepAliveTimeout = times.keepAliveMs
  server.on('clientError', answerBrokenRequest)
  server.on('tlsClientError', (error) => options.log.debug(`TLS handshake: ${error.message}`))
  server.on(
    'request',
    listenerOf(app, (socket) => connections.trust(socket)),
  )
  const connections = new Connections(server, options.limits ?? defaultLimits(), options.log)
  server.setTimeout(times.stalledMs, (socket) => {
    // With this listener Node leaves it to us. A follower of a quiet job may wait on; one that
    // takes nothing of what waits for it may not, nor a kept connection that is not used.
    if (socket.writableLength > 0 || !connections.owesAnswer(socket)) socket.destroy()
  })
  await bind(server, options)
  server.on('error', (error) => options.log.error(`The server's socket: ${error.message}`))

  let closing: Promise<void> | undefined
  return {
    port: (server.address() as AddressInfo).port,
    reloadTls: () => withTls(() => server.setSecureContext(tlsOptions(options.tls))),
    close(limitMs = CLOSE_LIMIT_MS) {
      closing ??= close(server, connections, limitMs)
      return closing
    },
  }
}

/** The job, its log and its containers need descriptors as well: half of all are theirs. */
function defaultLimits(): ConnectionLimits {
  const total = Math.max(4, Math.min(MAX_CONNECTIONS, Math.floor(descriptorLimit() / 2)))
  return { total, strangersPerAddress: Math.floor(total * STRANGERS_SHARE) }
}

function listenerOf(app: Hono<ServerEnv>, trust: (socket: Socket) => void): RequestListener {
  const fetch = (request: Request, env: object) => {
    const bindings = env as HttpBindings // HTTP/2 is not spoken here
    return app.fetch(request, { ...bindings, trust: () => trust(bindings.incoming.socket) })
  }
  const answer = getRequestListener(fetch, {
    hostname: 'localhost', // of HTTP/1.0 clients that name none
    // What fails before the app is reached: a target or a host that makes no URL.
    errorHandler: (error) =>
      error instanceof RequestError
        ? messageResponse(`Bad request: ${error.message}`, 400)
        : messageResponse('The agent failed to answer this request.', 500),
  })
  return (incoming, outgoing) => {
    const { socket } = incoming
    if (socket.destroyed) return // others of its requests came with the one that was too many
    // A body that nobody has read by now may have no end. Of most methods the library sees to that.
    outgoing.once('finish', () => {
      if (BODILESS.has(incoming.method) && !incoming.complete) socket.destroySoon()
    })
    void answer(incoming, outgoing)
  }
}

const BODILESS: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD'])

function createSecureServer(tls: () => TlsMaterial, times: Timeouts): Server {
  return withTls(() =>
    createServer({
      ...tlsOptions(tls),
      ALPNProtocols: ['http/1.1', 'http/1.0'],
      handshakeTimeout: times.headersMs,
      headersTimeout: times.headersMs,
      requestTimeout: times.requestMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, times.headersMs),
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAlive: true, // TCP's: finds clients that vanished without a word
      keepAliveInitialDelay: 30_000,
    }),
  )
}

function tlsOptions(tls: () => TlsMaterial) {
  const { cert, key } = tls()
  // Node takes an empty file for "no certificate" and a stranger's key until the first handshake.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw new Error('the key does not match the certificate')
  }
  // No authorities: clients show no certificate, and reading the usual ones takes longer than all else.
  return { cert, key, ca: [] as string[], minVersion: 'TLSv1.2' } as const
}

function withTls<T>(action: () => T): T {
  try {
    return action()
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError(`The TLS certificate and key cannot be used: ${reason}`, {
      hint: 'Both must be PEM files that belong together: --tls-cert-path, --tls-key-path.',
      cause,
    })
  }
}

async function close(server: Server, connections: Connections, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  connections.end()
  const timer = setTimeout(() => connections.cut(), limitMs)
  await closed
  clearTimeout(timer)
}

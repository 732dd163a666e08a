/**
 * A Docker Engine on this machine, and the few calls the tests' own set-up makes to it. Independent
 * of the agent's client on purpose: a fault in that one must not hide itself.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of this machine's own engine. */
export const HOST_SOCKET = '/var/run/docker.sock'

/** Of the engine that the tests run jobs on: another one when this variable names its socket. */
export const ENGINE_SOCKET = process.env['AGENT_TEST_ENGINE'] ?? HOST_SOCKET

const LOG = '/var/log/agent-test-dockerd.log'

const START_LIMIT_MS = 60_000
const POLL_MS = 200

export interface EngineAnswer {
  readonly status: number
  readonly text: string
}

/** Starts one when none answers; it stays for the next run. */
export async function ensureEngine(): Promise<void> {
  if (await isAnswering()) return
  if (process.getuid?.() !== 0) {
    throw new Error(
      `No Docker Engine answers on ${ENGINE_SOCKET}: start one, or run npm test as root.`,
    )
  }
  console.log('Starting dockerd')
  const log = openSync(LOG, 'a')
  const daemon = spawn('/usr/sbin/dockerd', [], { detached: true, stdio: ['ignore', log, log] })
  daemon.unref()
  closeSync(log)
  const deadline = performance.now() + START_LIMIT_MS
  while (!(await isAnswering())) {
    if (performance.now() > deadline || daemon.exitCode !== null) {
      const said = readFileSync(LOG, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
      throw new Error(`dockerd did not start; the end of ${LOG}:\n${said}`)
    }
    await sleep(POLL_MS)
  }
}

/** {@link callEngineAt} the engine that the tests run jobs on. */
export async function callEngine(
  method: string,
  path: string,
  body?: object,
  headers?: Readonly<Record<string, string>>,
): Promise<EngineAnswer> {
  return await callEngineAt(ENGINE_SOCKET, method, path, body, headers)
}

/**
 * @param body a tar; or what becomes JSON
 * @throws {Error} when nothing answers on the socket
 */
export async function callEngineAt(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<EngineAnswer> {
  const type = body instanceof Readable ? 'application/x-tar' : 'application/json'
  const call = request({
    socketPath,
    method,
    path,
    headers: {
      host: 'docker',
      ...(body === undefined ? {} : { 'content-type': type }),
      ...headers,
    },
  })
  const answered = new Promise<EngineAnswer>((resolve, reject) => {
    call.once('error', reject)
    call.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
  })
  if (body === undefined) call.end()
  else if (body instanceof Readable) await pipeline(body, call)
  else call.end(JSON.stringify(body))
  return await answered
}

async function isAnswering(): Promise<boolean> {
  const answer = await callEngine('GET', '/_ping').catch(() => undefined)
  return answer?.status === 200
}

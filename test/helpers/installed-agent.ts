/** Clients of an agent that is installed as a service on a machine of its own. */

import { request } from 'node:https'
import * as assert from 'uvu/assert'
import { waitFor } from './host.ts'
import { createJobId } from './job-id.ts'
import type { Machine } from './machine.ts'
import { bytesOf, SECRET, signToken } from './served-agent.ts'

const PORT = 8443

/** `agent install` with the secret and the port of these clients. */
export async function install(machine: Machine, flags = ''): Promise<string> {
  return await machine.ask(
    `printf '%s' '${SECRET}' >/run/secret
agent install --auth-token-secret-file /run/secret --port ${PORT} ${flags}`,
  )
}

export async function askAgent(
  machine: Machine,
  method: string,
  path: string,
  { body, headers = {} }: { body?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const authorization = `Bearer ${await signToken()}`
  const host = await machine.address()
  return await new Promise((resolve, reject) => {
    const sending = request(
      {
        ...{ host, port: PORT, method, path, rejectUnauthorized: false, agent: false },
        headers: { authorization, ...headers },
      },
      (response) => void bytesOf(response).then((bytes) => resolve(bytes.toString()), reject),
    )
    sending.on('error', reject)
    sending.end(body)
  })
}

export async function isAlive(machine: Machine): Promise<boolean> {
  return (await askAgent(machine, 'GET', '/is_alive').catch(() => '')) === 'yes'
}

/** @returns the job's id */
export async function submit(machine: Machine, ...directives: string[]): Promise<string> {
  return await submitJob(machine, { commands: directives.map((directive) => ({ directive })) })
}

/** Waits for an agent that is being started again: systemd takes two seconds before it does that. */
export async function submitJob(machine: Machine, job: object): Promise<string> {
  const id = createJobId()
  const body = JSON.stringify({ job_id: id, ...job })
  let answer = ''
  await waitFor(async () => {
    answer = await askAgent(machine, 'POST', '/jobs', { body }).catch(() => '')
    return answer !== '' && !answer.includes('shutting down')
  }, 'the agent takes a job')
  assert.ok(['ok', 'job is already running'].includes(JSON.parse(answer).message), answer)
  return id
}

/** @returns the log so far, once it has the text */
export async function whenLogged(machine: Machine, id: string, text: string): Promise<string> {
  let log = ''
  await waitFor(async () => {
    log = await askAgent(machine, 'GET', `/jobs/${id}/log`).catch(() => '')
    return log.includes(text)
  }, `the log has ${text}`)
  return log
}

/** @returns the whole log, once nothing of the job is left to be cleared away */
export async function whenOver(machine: Machine, id: string): Promise<string> {
  const log = await whenLogged(machine, id, 'job_finished')
  const isReported = async () => (await machine.ask('ls /var/lib/agent/records')) === ''
  await waitFor(isReported, 'the job is reported')
  return log
}

/** Resolves when systemd has started another process in place of that one. */
export async function whenReplaced(machine: Machine, pid: string): Promise<void> {
  await waitFor(async () => !['0', pid].includes(await mainPid(machine)), 'another process runs')
}

export async function mainPid(machine: Machine): Promise<string> {
  return await machine.ask('systemctl show -P MainPID agent')
}

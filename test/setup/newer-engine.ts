/**
 * `node test/setup/newer-engine.ts start|stop`: the engine that the suites of container jobs are run
 * against a second time. What it keeps stays on the machine, so that images are copied once. Of
 * several test runs at a time the first starts it, and the last one stops it.
 *
 * @module
 */

import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { callEngineAt, HOST_SOCKET } from './engine.ts'
import { copyImages, DOCKER, startInnerEngine, waitForVersion } from './inner-engine.ts'
import {
  NEWER_ENGINE_DIRECTORY,
  NEWER_ENGINE_NAME,
  NEWER_ENGINE_SOCKET,
} from './newer-engine-place.ts'

/** Those that the suites run on it use. */
const IMAGES: readonly string[] = [
  'agent-test/bare',
  'agent-test/checkout',
  'agent-test/debian',
  'agent-test/no-bash',
  'agent-test/old-bash',
  'agent-test/postgres',
  'agent-test/redis',
  'agent-test/screen',
  'agent-test/servers',
]

/** A file each, named after the process that has called this script. */
const USERS = join(NEWER_ENGINE_DIRECTORY, 'users')

const OWN = String(process.ppid)

async function start(): Promise<void> {
  await mkdir(USERS, { recursive: true })
  await writeFile(join(USERS, OWN), '')
  const version = (await isInUse())
    ? await waitForVersion(NEWER_ENGINE_NAME, NEWER_ENGINE_SOCKET)
    : (await startInnerEngine(DOCKER, NEWER_ENGINE_NAME, NEWER_ENGINE_DIRECTORY)).version
  console.log(`Docker Engine ${version} on ${NEWER_ENGINE_SOCKET}`)
  await copyImages(NEWER_ENGINE_SOCKET, IMAGES)
}

async function stop(): Promise<void> {
  await rm(join(USERS, OWN), { force: true })
  if (await isInUse()) return
  await callEngineAt(HOST_SOCKET, 'DELETE', `/containers/${NEWER_ENGINE_NAME}?force=true&v=true`)
}

/** By another test run; one that was killed does not count. */
async function isInUse(): Promise<boolean> {
  const users = await readdir(USERS).catch(() => [])
  return users.some((id) => id !== OWN && existsSync(`/proc/${id}`))
}

await (process.argv[2] === 'stop' ? stop() : start())

/**
 * `node test/setup/newer-engine.ts start|stop`: the engine that the suites of container jobs are run
 * against a second time. What it keeps stays on the machine, so that images are copied once.
 *
 * @module
 */

import { callEngineAt, HOST_SOCKET } from './engine.ts'
import { copyImages, DOCKER, startInnerEngine } from './inner-engine.ts'
import { NEWER_ENGINE_DIRECTORY, NEWER_ENGINE_NAME } from './newer-engine-place.ts'

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

if (process.argv[2] === 'stop') {
  await callEngineAt(HOST_SOCKET, 'DELETE', `/containers/${NEWER_ENGINE_NAME}?force=true&v=true`)
} else {
  const { socketPath, version } = await startInnerEngine(
    DOCKER,
    NEWER_ENGINE_NAME,
    NEWER_ENGINE_DIRECTORY,
  )
  console.log(`Docker Engine ${version} on ${socketPath}`)
  await copyImages(socketPath, IMAGES)
}

/**
 * What is known of a job, as files for an archive. What cannot be found out is a file that says why.
 *
 * @module
 */

import { open } from 'node:fs/promises'
import { arch, release, version } from 'node:os'
import { Deadline } from '../async/abort.ts'
import { DockerClient } from '../docker/client.ts'
import { findContainers } from '../docker/containers.ts'
import { describeContainer } from '../docker/describe-container.ts'
import { explain } from '../errors.ts'
import { JOB_LABEL } from '../executors/container/job-objects.ts'
import { readKeptRequest } from '../records/kept-requests.ts'
import { VERSION } from '../version.ts'
import type { FoundJob } from './find-job.ts'

export interface Part {
  readonly name: string
  readonly content: Uint8Array
}

const MAX_LOG_BYTES = 2 ** 20

/** For an engine that hangs, perhaps the very reason of the report. */
const ENGINE_LIMIT_MS = 10_000

/** @param socketPath of the engine, for a job that does not run any more */
export async function collectParts(job: FoundJob, socketPath: string): Promise<Part[]> {
  const { record, logPath } = job
  const parts = await Promise.all([
    part('job.json', async () => toJson(describeJob(job))),
    part('versions.json', async () => toJson(versions())),
    part('request.json', async () => {
      return logPath === undefined ? undefined : await readKeptRequest(logPath)
    }),
    part('log.jsonl', async () => (logPath === undefined ? undefined : await readTail(logPath))),
    part('engine.json', async () => {
      return toJson(await describeContainers(record?.dockerSocketPath ?? socketPath, job.id))
    }),
  ])
  return parts.flat()
}

async function part(name: string, make: () => Promise<Buffer | undefined>): Promise<Part[]> {
  try {
    const content = await make()
    return content === undefined ? [] : [{ name, content }]
  } catch (error) {
    return [{ name: `${name}.error.txt`, content: Buffer.from(`${explain(error)}\n`) }]
  }
}

/** Without what only the agent may know: the tokens of callbacks, keys. */
function describeJob({ id, record, logPath }: FoundJob) {
  return {
    job_id: id,
    state: record === undefined ? 'finished' : 'running',
    log: logPath,
    executor: record?.executor,
    since: record?.since,
    agent_pid: record?.agentPid,
    engine_socket: record?.dockerSocketPath,
    containers: record?.containers,
  }
}

function versions() {
  const { node } = process.versions
  return { agent: VERSION, node, kernel: release(), system: version(), architecture: arch() }
}

/** @returns whole lines */
async function readTail(path: string): Promise<Buffer> {
  await using file = await open(path)
  const { size } = await file.stat()
  const start = Math.max(0, size - MAX_LOG_BYTES)
  const { buffer, bytesRead } = await file.read({
    buffer: Buffer.alloc(Math.min(size, MAX_LOG_BYTES)),
    position: start,
  })
  const bytes = buffer.subarray(0, bytesRead)
  return start === 0 ? bytes : bytes.subarray(bytes.indexOf('\n') + 1)
}

async function describeContainers(socketPath: string, id: string): Promise<object[]> {
  using deadline = new Deadline(ENGINE_LIMIT_MS)
  const docker = new DockerClient(socketPath)
  try {
    const containers = await findContainers(docker, JOB_LABEL, id)
    return await Promise.all(
      containers.map(({ name }) =>
        describeContainer(docker, name, deadline.signal).catch((error: unknown) => ({
          Id: name, // removed since, perhaps
          problem: explain(error),
        })),
      ),
    )
  } finally {
    await docker.close()
  }
}

function toJson(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)
}

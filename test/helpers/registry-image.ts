/** Images in a registry that the engine does not have: what a job is to pull. */

import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { pack } from 'tar-stream'
import { callEngine, type EngineAnswer } from '../setup/engine.ts'
import { createJobId } from './job-id.ts'
import type { Registry } from './registry.ts'

/** Has bash, and little else: soon pushed. */
const BASE = 'agent-test/bare'

export interface PushOptions {
  /** Of `/tmp/layer`, a layer of its own. Default: a thousand bytes no engine has. */
  readonly layer?: Buffer | string
  /** More of that layer, by path. */
  readonly programs?: Readonly<Record<string, Buffer>>
}

export interface PushedImage {
  /** With the registry's host and a tag. */
  readonly name: string
  readonly digest: string
}

/**
 * Makes an image nobody has seen before and pushes it. The engine keeps its base only.
 *
 * @param repository `team/app` or `team/app:1`
 */
export async function pushImage(
  registry: Registry,
  repository: string,
  { layer = randomBytes(1_000), programs = {} }: PushOptions = {},
): Promise<PushedImage> {
  const [path = '', tag = 'latest'] = repository.split(':')
  const name = `${registry.host}/${path}`
  await commitImage({ name, tag, layer, programs })
  try {
    const { username, password } = registry
    const login = Buffer.from(JSON.stringify({ username, password })).toString('base64')
    const { text } = await call('POST', `/images/${name}/push?tag=${tag}`, undefined, {
      'x-registry-auth': login.replaceAll('+', '-').replaceAll('/', '_'),
    })
    const digest = /"Digest":"(sha256:[0-9a-f]{64})"/.exec(text)?.[1]
    if (digest === undefined) throw new Error(`${name} was not pushed: ${text}`)
    return { name: `${name}:${tag}`, digest }
  } finally {
    await removeImage(`${name}:${tag}`)
  }
}

/** From the engine. One that is not there is no error. */
export async function removeImage(name: string): Promise<void> {
  const { status, text } = await callEngine('DELETE', `/images/${name}?force=true`)
  if (status !== 200 && status !== 404) throw new Error(`${name} was not removed: ${text}`)
}

export async function hasImage(name: string): Promise<boolean> {
  const { status } = await callEngine('GET', `/images/${name}/json`)
  return status === 200
}

interface Commit extends Required<PushOptions> {
  readonly name: string
  readonly tag: string
}

async function commitImage({ name, tag, layer, programs }: Commit): Promise<void> {
  const config = { Image: BASE, Cmd: ['bash'], Labels: { 'agent.job': createJobId() } }
  const { text } = await call('POST', '/containers/create', json(config), {
    'content-type': 'application/json',
  })
  const { Id: id } = JSON.parse(text) as { Id: string }
  try {
    const tar = pack()
    tar.entry({ name: 'tmp/layer' }, layer)
    for (const [path, content] of Object.entries(programs)) {
      tar.entry({ name: path.replace(/^\//, ''), mode: 0o755 }, content)
    }
    tar.finalize()
    await call('PUT', `/containers/${id}/archive?path=/`, Readable.from(tar))
    const target = `repo=${encodeURIComponent(name)}&tag=${tag}`
    await call('POST', `/commit?container=${id}&${target}`)
  } finally {
    await call('DELETE', `/containers/${id}?force=true`)
  }
}

function json(value: object): Readable {
  return Readable.from([JSON.stringify(value)])
}

async function call(...args: Parameters<typeof callEngine>): Promise<EngineAnswer> {
  const answer = await callEngine(...args)
  if (answer.status < 400) return answer
  throw new Error(`The engine answered ${answer.status} to ${args[1]}: ${answer.text}`)
}

/** Pulling images from a real registry, with a gate before it that breaks what it is told to. */

import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { type FinishedJob, runJob, startJob } from '../helpers/agent.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { generic } from '../helpers/pull-credentials.ts'
import { type Registry, startRegistry } from '../helpers/registry.ts'
import { type Gate, openGate } from '../helpers/registry-gate.ts'
import { hasImage, type PushedImage, pushImage, removeImage } from '../helpers/registry-image.ts'

interface Context {
  registry: Registry
  gate: Gate
  /** Through the gate; removed after each test. */
  pulled: Set<string>
  a: PushedImage
  b: PushedImage
}

const test = engineSuite<Context>('pull')

test.before(async (t) => {
  t.registry = await startRegistry({ username: 'me', password: 'secret' })
  t.a = await pushImage(t.registry, 'a:1', { layer: randomBytes(3_000_000) })
  t.b = await pushImage(t.registry, 'b:1')
})

test.after(async (t) => {
  await t.registry.close()
})

test.before.each(async (t) => {
  t.gate = await openGate(t.registry)
  t.pulled = new Set()
})

test.after.each(async (t) => {
  await t.gate.close()
  for (const name of t.pulled) await removeImage(name)
})

/** Ends a job right after its pull: containers are not what these tests are about. */
const PULL_ONLY = ['--files', '/no/such/file:/x', '--fail-on-missing-files']

/** For an image that has nothing but bash. */
const WAIT = `bash -c 'exec 3<> <(:); read -t 60 -u 3'`

interface Wanted {
  readonly image: string
  readonly pull_policy?: string
}

/** The first is the main container. */
function jobWith(t: Context, wanted: readonly Wanted[]): object {
  const containers = wanted.map(({ image, ...rest }, i) => {
    const name = `${t.gate.host}/${image}`
    t.pulled.add(name)
    return { name: `c${i}`, image: name, command: WAIT, ...rest }
  })
  return {
    executor: 'dockercompose',
    compose: {
      containers,
      image_pull_credentials: [generic({ ...t.registry, host: t.gate.host })],
    },
    // In an image without any programs.
    commands: [{ directive: 'echo "layer: $(</tmp/layer)"' }],
  }
}

async function pull(
  t: Context,
  wanted: readonly Wanted[],
  args: readonly string[] = [],
): Promise<FinishedJob & { blocks: readonly Block[]; pullOutput: string }> {
  const finished = await runJob(jobWith(t, wanted), { args })
  const blocks = blocksOf(finished.events)
  return { ...finished, blocks, pullOutput: blocks[1]?.output ?? '' }
}

test('all missing images are pulled at once', async (t) => {
  const both = Promise.withResolvers<void>()
  t.gate.breakNext(/^\/v2\/a\/manifests\//, both.promise, 100)
  const running = await startJob(jobWith(t, [{ image: 'a:1' }, { image: 'b:1' }]))
  await waitFor(
    () => t.gate.visits.some(({ path }) => path.startsWith('/v2/b/blobs/')),
    'image b is pulled although a waits',
  )
  both.resolve()

  const { result } = await running.finished

  assert.is(result, 'passed')
})

test('the log of a pull is lines of text: layers, bytes, seconds and the digest', async (t) => {
  const { blocks, pullOutput } = await pull(t, [{ image: 'a:1' }], PULL_ONLY)

  const name = `${t.gate.host}/a:1`
  const [first, ...rest] = pullOutput.trimEnd().split('\n')
  assert.is(blocks[1]?.exitCode, 0)
  assert.is(first, `Pulling ${name}`)
  const end = new RegExp(
    `^${name}: pulled 2 of 2 layers, 3\\.0 MB, in \\d+\\.\\d s \\(${t.a.digest}\\)$`,
  )
  assert.match(rest.at(-1) ?? '', end)
  assert.not.match(pullOutput, /[^\n\x20-\x7e]/)
})

test('a dropped connection, too many requests and a 503 are tried again', async (t) => {
  t.gate.breakNext(/^\/v2\/a\/manifests\//, 'drop', 2) // of one call: an engine asks twice itself
  t.gate.breakNext(/^\/v2\/b\/manifests\//, 429, 2)

  const both = await pull(t, [{ image: 'a:1' }, { image: 'b:1' }], PULL_ONLY)
  for (const name of t.pulled) await removeImage(name)
  t.gate.breakNext(/^\/v2\/b\/manifests\//, 503, 2)
  const third = await pull(t, [{ image: 'b:1' }], PULL_ONLY)

  assert.is(both.blocks[1]?.exitCode, 0)
  assert.match(both.pullOutput, /EOF .*; trying again in 1 s\n/)
  assert.match(both.pullOutput, /toomanyrequests.*; trying again in 1 s\n/)
  assert.is(third.blocks[1]?.exitCode, 0)
  assert.match(third.pullOutput, /503 Service Unavailable.*; trying again in 1 s\n/)
})

test('a layer that breaks off is fetched again', async (t) => {
  t.gate.breakNext(/^\/v2\/a\/blobs\/sha256:/, 'drop', 1)

  const { blocks } = await pull(t, [{ image: 'a:1' }], PULL_ONLY)

  assert.is(blocks[1]?.exitCode, 0)
})

test('what is not found or denied fails at once', async (t) => {
  const absent = await pull(t, [{ image: 'a:2' }])
  t.gate.breakNext(/^\/v2\/b\/manifests\//, 403, 100)
  const denied = await pull(t, [{ image: 'b:1' }])

  for (const { result, blocks, pullOutput } of [absent, denied]) {
    assert.is(result, 'failed')
    assert.is(blocks.at(-1)?.directive, 'Pulling docker images...')
    assert.is(blocks.at(-1)?.exitCode, 1)
    assert.not.match(pullOutput, 'trying again')
  }
  assert.match(absent.pullOutput, 'not found')
  assert.match(denied.pullOutput, 'denied')
})

test('a pull or a login during which nothing comes fails after its limit', async (t) => {
  t.gate.breakNext(/^\/v2\/a\/blobs\/sha256:/, 'stall', 100)
  const layer = await pull(t, [{ image: 'a:1' }], ['--pull-stall-timeout', '1s'])
  t.gate.breakNext(/^\/v2\/b\/manifests\//, 'stall', 100)
  const manifest = await pull(t, [{ image: 'b:1' }], ['--pull-stall-timeout', '1s'])
  t.gate.breakNext(/^\/v2\/$/, 'stall', 100)
  const login = await pull(t, [{ image: 'b:1' }], ['--pull-stall-timeout', '1s'])

  for (const { result, blocks, pullOutput } of [layer, manifest]) {
    assert.is(result, 'failed')
    assert.is(blocks.at(-1)?.exitCode, 1)
    assert.match(pullOutput, `no data came from ${t.gate.host} for 1 s`)
  }
  assert.is(login.result, 'failed')
  assert.match(login.blocks[0]?.output ?? '', `${t.gate.host} did not answer the login within 1 s`)
})

test('an image that waits for its turn in the engine is not given up while others come', async (t) => {
  // An engine fetches three layers at a time.
  for (const name of ['slow1', 'slow2', 'slow3']) {
    await pushImage(t.registry, name, { layer: randomBytes(3_000_000) })
  }
  t.gate.breakNext(/^\/v2\/slow\d\/blobs\/sha256:/, 'trickle', 100)
  const slow = ['slow1', 'slow2', 'slow3'].map((image) => ({ image }))
  const running = await startJob(jobWith(t, [...slow, { image: 'b:1' }]), {
    args: ['--pull-stall-timeout', '3s', ...PULL_ONLY],
  })

  const { events } = await running.finished

  assert.is(blocksOf(events)[1]?.exitCode, 0, blocksOf(events)[1]?.output)
})

test('a stop in the middle of a layer ends the pull', async (t) => {
  t.gate.breakNext(/^\/v2\/a\/blobs\/sha256:/, 'stall', 100)
  const running = await startJob(jobWith(t, [{ image: 'a:1' }]))
  const isPulling = () => t.gate.visits.some(({ path }) => path.startsWith('/v2/a/blobs/'))
  await waitFor(isPulling, 'the engine waits for a layer')

  running.signal('SIGTERM')
  const { code, events, result } = await running.finished

  assert.is(code, 130)
  assert.is(result, 'stopped')
  assert.is(blocksOf(events).at(-1)?.directive, 'Pulling docker images...')
  assert.is(blocksOf(events).at(-1)?.exitCode, 1)
})

test('an image is found by tag, by digest, by both, and as latest without any', async (t) => {
  await pushImage(t.registry, 'untagged', { layer: 'latest' })
  const images = [`a@${t.a.digest}`, `b:1@${t.b.digest}`, 'a:1', 'untagged']
  const wanted = images.map((image) => ({ image }))

  const first = await pull(t, wanted)
  const second = await pull(t, wanted, PULL_ONLY)

  assert.is(first.result, 'passed')
  assert.is(first.pullOutput.match(/: pulled /g)?.length, 4)
  assert.is(second.pullOutput, '')
})

test('the pull policy decides what a newer image of the same name means', async (t) => {
  const image = 'moving:1'
  const { digest } = await pushImage(t.registry, image, { layer: 'old' })
  t.pulled.add(`${t.gate.host}/moving@${digest}`) // all it is known by when the tag has moved on
  const old = await pull(t, [{ image, pull_policy: 'always' }])
  await pushImage(t.registry, image, { layer: 'new' })

  const kept = await pull(t, [{ image }])
  const kept2 = await pull(t, [{ image, pull_policy: 'never' }])
  const fresh = await pull(t, [{ image, pull_policy: 'always' }])

  const layers = [old, kept, kept2, fresh].map(({ blocks }) => blocks.at(-2)?.output)
  assert.equal(layers, ['layer: old\n', 'layer: old\n', 'layer: old\n', 'layer: new\n'])
})

test('never pulling what is not there is a failure that says so', async (t) => {
  const { result, blocks, pullOutput } = await pull(t, [{ image: 'b:1', pull_policy: 'never' }])

  assert.is(result, 'failed')
  assert.is(blocks.at(-1)?.exitCode, 1)
  assert.match(pullOutput, 'is not on this host, and its pull_policy "never" forbids pulling it')
  assert.not.ok(await hasImage(`${t.gate.host}/b:1`))
})

test.run()

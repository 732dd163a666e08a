/** Images for another platform than the engine's, from a registry that has one for each. */

import * as assert from 'uvu/assert'
import { type FinishedJob, runJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { generic } from '../helpers/pull-credentials.ts'
import { type Registry, startRegistry } from '../helpers/registry.ts'
import { removeImage } from '../helpers/registry-image.ts'
import { pushIndex } from '../helpers/registry-index.ts'
import { callEngine } from '../setup/engine.ts'

interface Context {
  registry: Registry
  image: string
  digest: string
  /** Of the engine, and one that it cannot run. */
  own: string
  other: string
}

const test = engineSuite<Context>('container platform')

test.before(async (t) => {
  t.own = await askEngine('/version', 'Arch')
  t.other = t.own === 'amd64' ? 'arm64' : 'amd64'
  t.registry = await startRegistry({ username: 'me', password: 'secret' })
  t.image = `${t.registry.host}/team/multi:1`
  t.digest = await pushIndex(t.registry, 'team/multi:1', ['amd64', 'arm64'], t.own)
})

test.after(async (t) => {
  await t.registry.close()
})

test.after.each(async (t) => {
  await removeImage(t.image)
})

async function askEngine(path: string, field: string): Promise<string> {
  const { text } = await callEngine('GET', path)
  return String((JSON.parse(text) as Readonly<Record<string, unknown>>)[field])
}

const architectureOf = (image: string) => askEngine(`/images/${image}/json`, 'Architecture')

async function runWith(
  t: Context,
  main: object,
  services: readonly object[] = [],
): Promise<FinishedJob & { blocks: readonly Block[] }> {
  const compose = { image_pull_credentials: [generic(t.registry)] }
  // In an image without any programs.
  const job = containerJob(main, ['echo "for $(</tmp/layer)"'], { services, compose })
  const finished = await runJob(job)
  return { ...finished, blocks: blocksOf(finished.events) }
}

test('the image for the platform that is asked for is pulled, and why it does not run is told', async (t) => {
  const { blocks, result } = await runWith(t, { image: t.image, platform: `linux/${t.other}` })

  const [, pull, start] = blocks
  assert.is(pull?.exitCode, 0)
  assert.match(pull?.output ?? '', t.digest)
  assert.is(await architectureOf(t.image), t.other)
  assert.is(result, 'failed')
  assert.is(start?.exitCode, 1)
  assert.match(start?.output ?? '', 'Failed to start the docker image\n')
  assert.match(
    start?.output ?? '',
    `exec /bin/bash: exec format error. The image is for linux/${t.other}, and the engine runs on linux/${t.own}: set platform: linux/${t.own}`,
  )
})

test('without a platform the image for that of the engine is pulled', async (t) => {
  const { blocks, result } = await runWith(t, { image: t.image })

  assert.is(result, 'passed')
  assert.is(await architectureOf(t.image), t.own)
  assert.is(blocks[1 + FIRST]?.output, `for ${t.own}\n`)
})

test('one that another job has left for another platform does no harm where a platform is given', async (t) => {
  await runWith(t, { image: t.image, platform: `linux/${t.other}` })

  const kept = await runWith(t, { image: t.image })
  const asked = await runWith(t, { image: t.image, platform: `linux/${t.own}` })

  assert.is(kept.result, 'failed')
  assert.match(kept.blocks[2]?.output ?? '', `The engine warns about container "main": `)
  assert.match(kept.blocks[2]?.output ?? '', `set platform: linux/${t.own}`)
  assert.is(asked.result, 'passed')
  assert.is(asked.blocks[1 + FIRST]?.output, `for ${t.own}\n`)
})

test('a platform that nobody has made the image for fails the pull at once', async (t) => {
  const { blocks, result } = await runWith(t, { image: t.image, platform: 'linux/s390x' })

  assert.is(result, 'failed')
  assert.is(blocks.at(-1)?.directive, 'Pulling docker images...')
  assert.match(blocks.at(-1)?.output ?? '', /no matching manifest for linux\/s390x[^\n]*\n/)
  assert.match(blocks.at(-1)?.output ?? '', '\nThe image does not exist for that platform: ')
  assert.not.match(blocks.at(-1)?.output ?? '', 'trying again')
})

test('of a service that cannot run here is told why as well', async (t) => {
  const service = { name: 'foreign', image: t.image, platform: `linux/${t.other}` }
  const { blocks, result } = await runWith(t, { image: IMAGE }, [service])

  const { output = '' } = blocks.at(-1) ?? {}
  assert.is(result, 'failed')
  assert.match(output, 'Last output of service "foreign":\nexec /bin/bash: exec format error\n')
  assert.match(output, /Service "foreign" ended with exit code \d+, before/)
  assert.match(output, `The image is for linux/${t.other}, and the engine runs on linux/${t.own}: `)
})

test.run()

/** Jobs in containers of agents that call their control plane, several at a time. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { engineSuite } from '../helpers/engine-suite.ts'
import { waitFor } from '../helpers/host.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import { type Hub, startHub } from '../helpers/hub.ts'
import { generic } from '../helpers/pull-credentials.ts'
import { startRegistry } from '../helpers/registry.ts'
import { openGate } from '../helpers/registry-gate.ts'
import { pushImage, removeImage } from '../helpers/registry-image.ts'
import { type StartedAgent, startFleetAgent } from '../helpers/started-agent.ts'

interface Context {
  hub: Hub
  directory: string
}

const BARE = 'agent-test/bare'

/** Of containers with nothing but bash. */
const NAP = '{ exec 3<> <(:); read -t 0.2 -u 3 || :; }'

/** `JOBS=20 npm test -- start-containers` for as many as the engine takes a minute to start. */
const SIDE_BY_SIDE = Number(process.env['JOBS'] ?? 6)

/** Every one of them has containers to make and to remove, on a machine with others' work. */
const LIMIT_MS = 200_000

const test = engineSuite<Context>('start: containers')

test.before.each(async (t) => {
  t.hub = await startHub()
  t.directory = await mkdtemp(join(tmpdir(), 'fleet-'))
})

test.after.each(async ({ hub, directory }) => {
  await hub.close()
  await rm(directory, { recursive: true, force: true })
})

/** Runs `use` beside the agents, which have ended and cleared up when it is over. */
async function withAgents({ hub }: Context, flags: readonly string[], use: () => Promise<void>) {
  const started = await startFleetAgent(hub, flags)
  try {
    await use()
    await waitFor(() => hub.jobs.count('finished') === hub.jobs.byId.size, 'all are over', LIMIT_MS)
    const { code, stderr } = await started.stop()
    assert.is(code, 0, stderr)
    assert.equal(hub.violations, [])
  } finally {
    await endAtOnce(started)
    await started.remove()
  }
}

/** Also after a failure: one that is killed would leave its containers and networks. */
async function endAtOnce({ agent }: StartedAgent): Promise<void> {
  const asking = setInterval(() => agent.signal('SIGTERM'), 200)
  await agent.exited
  clearInterval(asking)
}

test(`${SIDE_BY_SIDE} jobs side by side do not disturb each other, nor does the stop of one`, async (t) => {
  const { hub, directory } = t
  const hook = join(directory, 'hook.sh')
  await writeFile(hook, 'echo "hook $0"; exit 1\n')
  const jobs = Array.from({ length: SIDE_BY_SIDE }, (_, index) =>
    hub.enqueue({
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image: BARE }] },
      files: [{ path: 'own', content: Buffer.from(`file ${index}\n`).toString('base64') }],
      commands: [
        `echo 'begun'; echo ${index} >/tmp/mark`,
        `until [ -e /shared/go ]; do ${NAP}; done`,
        `echo "mark $(</tmp/mark), $(<~/own)"`,
      ].map((directive) => ({ directive })),
    }),
  )
  const [stopped, ...others] = jobs

  const flags = [
    ...['--agents', String(SIDE_BY_SIDE), '--name', 'side-by-side'],
    ...['--files', `${directory}:/shared`, '--pre-job-hook-path', hook],
  ]
  await withAgents(t, flags, async () => {
    const run = () => {
      const over = jobs.find(({ state }) => state === 'finished')
      assert.is(over, undefined, over?.log.text)
      return jobs.every(({ log }) => log.text.includes('"output":"begun\\n"'))
    }
    await waitFor(run, 'all of them run at once', LIMIT_MS)
    if (stopped !== undefined) stopped.isStopRequested = true
    await waitFor(() => stopped?.result === 'stopped', 'the one is stopped', LIMIT_MS)
    assert.is(hub.jobs.count('finished'), 1)
    await writeFile(join(directory, 'go'), '')
  })

  for (const [index, job] of others.entries()) {
    assert.is(job.result, 'passed', job.log.text)
    assert.match(job.log.text, `mark ${index + 1}, file ${index + 1}\\n`)
  }
  // A file of the host that no container has: the agent puts it there, under its path.
  assert.match(others[0]?.log.text ?? '', `"output":"Running: bash ${hook}\\n"`)
  assert.match(others[0]?.log.text ?? '', `"output":"hook ${hook}\\n"`)
})

test('an image that two jobs want is pulled once; a missing file fails the job, which says so', async (t) => {
  const { hub } = t
  const registry = await startRegistry({ username: 'me', password: 'secret' })
  const gate = await openGate(registry)
  const image = `${gate.host}/shared:1`
  try {
    await pushImage(registry, 'shared:1')
    const held = Promise.withResolvers<void>()
    gate.breakNext(/^\/v2\/shared\/manifests\//, held.promise, 1)
    const enqueue = () =>
      hub.enqueue({
        executor: 'dockercompose',
        compose: {
          containers: [{ name: 'main', image }],
          image_pull_credentials: [generic({ ...registry, host: gate.host })],
        },
        commands: [{ directive: 'echo never' }],
      })
    const jobs = [enqueue(), enqueue()]

    const missing = ['--files', '/no/a:/a,/no/b:/b', '--fail-on-missing-files']
    await withAgents(t, ['--agents', '2', '--name', 'two-agents', ...missing], async () => {
      const waits = () => jobs.some(({ log }) => log.text.includes('which another job pulls'))
      await waitFor(waits, 'one waits for the other', LIMIT_MS)
      held.resolve()
    })

    const [puller, waiter] = jobs.toSorted(byWaiting)
    assert.match(puller?.log.text ?? '', `${image}: pulled 2 of 2 layers`)
    assert.match(waiter?.log.text ?? '', `${image}: pulled by another job, after `)
    assert.is(gate.visits.filter(({ path }) => path.includes('/manifests/1')).length, 1)
    for (const { result, log } of jobs) {
      assert.is(result, 'failed')
      assert.match(log.text, 'The host has no /no/a, which --files names.\\n')
      assert.match(log.text, 'The host has no /no/b, which --files names.\\n')
      assert.not.match(log.text, 'echo never')
    }
  } finally {
    await removeImage(image)
    await gate.close()
    await registry.close()
  }
})

function byWaiting(a: HubJob, b: HubJob): number {
  return Number(a.log.text.includes('Waiting for')) - Number(b.log.text.includes('Waiting for'))
}

test.run()

/** StatsD metrics of image pulls, at the daemon from npm. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type FinishedJob, runJob } from '../helpers/agent.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { generic } from '../helpers/pull-credentials.ts'
import { type Registry, startRegistry } from '../helpers/registry.ts'
import { type PushedImage, pushImage, removeImage } from '../helpers/registry-image.ts'
import { followLog, withAgent } from '../helpers/served-agent.ts'
import { openMetricSocket, type StatsdDaemon, startStatsd } from '../helpers/statsd.ts'

interface Context {
  registry: Registry
  image: PushedImage
  daemon: StatsdDaemon
}

const test = suite<Context>('statsd')

test.before(async (t) => {
  t.registry = await startRegistry({ username: 'me', password: 'secret' })
  t.image = await pushImage(t.registry, 'app:1')
  t.daemon = await startStatsd()
})

test.after(async (t) => {
  await t.daemon.close()
  await t.registry.close()
})

test.after.each(async (t) => {
  await removeImage(t.image.name)
})

function jobIn(t: Context, image: string): object {
  return {
    executor: 'dockercompose',
    compose: {
      containers: [{ name: 'main', image }],
      image_pull_credentials: [generic(t.registry)],
    },
  }
}

async function pull(t: Context, image: string, args: readonly string[]): Promise<FinishedJob> {
  return await runJob(jobIn(t, image), { args })
}

/** As the daemon writes it: no slash, and no colon but for the first. */
function tagOf(image: string): string {
  return `image=${image.replaceAll(':', '').replaceAll('/', '-')}`
}

test('a pull that passes and one that fails arrive with their duration and their tag', async (t) => {
  const flags = ['--statsd-host', 'localhost', '--statsd-port', String(t.daemon.port)]
  const absent = `${t.registry.host}/absent`

  const passed = await pull(t, t.image.name, flags)
  // An address of IPv6 that reaches a server of IPv4, on machines without IPv6 as well.
  const six = ['--statsd-host', '[::ffff:127.0.0.1]', ...flags.slice(2)]
  const failed = await pull(t, absent, [...six, '--statsd-namespace', 'my.agents'])

  assert.is(passed.result, 'passed')
  assert.is(failed.result, 'failed')
  const success = `agent.prod.compose_ci.docker_pull.success.rate;${tagOf(t.image.name)}`
  const failure = `my.agents.compose_ci.docker_pull.failure.rate;${tagOf(absent)}`
  await waitFor(async () => failure in (await t.daemon.counters()), 'the failure is counted')
  const counters = await t.daemon.counters()
  const timers = await t.daemon.timers()
  assert.is(counters[success], 1)
  assert.is(counters[failure], 1)
  assert.equal(
    Object.keys(counters)
      .filter((name) => name.includes('docker_pull'))
      .sort(),
    [success, failure].sort(),
  )
  assert.is(counters['statsd.bad_lines_seen'], 0)
  for (const name of [success, failure]) {
    const durations = timers[name.replace(/(success|failure)\.rate/, 'duration')] ?? []
    assert.is(durations.length, 1)
    assert.ok((durations[0] ?? 0) > 0)
  }
  assert.is(passed.stderr + failed.stderr, '')
})

test('the datagrams are as documented, and there are none without both flags', async (t) => {
  const socket = await openMetricSocket()
  try {
    const port = String(socket.port)
    const portOnly = await pull(t, `${t.registry.host}/absent`, ['--statsd-port', port])
    await pull(t, t.image.name, ['--statsd-host', '127.0.0.1', '--statsd-port', port])
    await waitFor(() => socket.received.length >= 2, 'the metrics of the second job arrive')

    const [duration, rate, ...others] = socket.received
    const { name } = t.image
    assert.match(
      duration ?? '',
      new RegExp(`^agent\\.prod\\.compose_ci\\.docker_pull\\.duration:\\d+\\|ms\\|#image:${name}$`),
    )
    assert.is(rate, `agent.prod.compose_ci.docker_pull.success.rate:1|c|#image:${name}`)
    assert.equal(others, [])
    assert.match(portOnly.stderr, 'No StatsD metrics are sent')
  } finally {
    await socket.close()
  }
})

test('a host that is dead or has no address changes nothing but one line of the log', async (t) => {
  const port = ['--statsd-port', '9'] // nobody listens there
  const dead = await pull(t, t.image.name, ['--statsd-host', '127.0.0.1', ...port])
  await removeImage(t.image.name)
  const nowhere = await pull(t, t.image.name, ['--statsd-host', 'statsd.invalid', ...port])

  assert.is(dead.result, 'passed')
  assert.is(dead.stderr, '')
  assert.is(nowhere.result, 'passed')
  assert.match(
    nowhere.stderr,
    /^agent: warn: StatsD metrics are not sent to statsd\.invalid: .*\n$/,
  )
})

test('a served job is counted as well', async (t) => {
  const socket = await openMetricSocket()
  const flags = ['--statsd-host', '127.0.0.1', '--statsd-port', String(socket.port)]
  try {
    await withAgent(async (served) => {
      const id = createJobId()
      const body = JSON.stringify({ job_id: id, ...jobIn(t, t.image.name) })
      await served.ask('POST', '/jobs', { body })
      await followLog(served, id)
      await waitFor(() => socket.received.length >= 2, 'the metrics arrive')
    }, flags)
  } finally {
    await socket.close()
  }

  assert.match(socket.received[1] ?? '', `success.rate:1|c|#image:${t.image.name}`)
})

test.run()

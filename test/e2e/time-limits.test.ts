/** Jobs that take too long, or are silent for too long: ended as by a stop, failed, and explained. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { type FinishedJob, type RunOptions, runAgent, runJob } from '../helpers/agent.ts'
import { besideSuite } from '../helpers/beside-suite.ts'
import { containerJob } from '../helpers/container-job.ts'
import { blocksOf } from '../helpers/events.ts'
import { processesMatching } from '../helpers/host.ts'
import { eventsIn, followLog, whenFree, withAgent } from '../helpers/served-agent.ts'

const TITLE = 'Ending the job at its time limit'

const test = besideSuite('time limits', 8)

/** No machine is so slow that a job does not come to its command by then, and none waits long for it. */
const LONG_ENOUGH = '15s'

function shellJob(directives: readonly string[], rest: object = {}) {
  return {
    commands: directives.map((directive) => ({ directive })),
    epilogue_always_commands: [{ directive: 'echo epilogue' }],
    ...rest,
  }
}

/** The job has failed with its block about the limit at the end, and nothing of it is left. */
function assertEnded({ events, result, code }: FinishedJob, problem: RegExp) {
  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(code, 1)
  assert.is(blocks.at(-1)?.directive, TITLE)
  assert.is(blocks.at(-1)?.exitCode, 1)
  assert.match(blocks.at(-1)?.output ?? '', problem)
  assert.is(blocks.at(-2)?.exitCode, 1)
  return blocks
}

for (const [executor, seconds, wrap] of [
  ['host', 4711, shellJob],
  ['container', 4712, (directives: readonly string[]) => containerJob({}, directives)],
] as const) {
  test(`${executor}: a job that takes too long fails, and says what ran`, async () => {
    const job = wrap([`(sleep ${seconds}; true)`])
    const finished = await runJob(job, { args: ['--job-timeout', LONG_ENOUGH] })

    const blocks = assertEnded(finished, /^The job has taken longer than its limit of 15 s\.\n/)
    const report = blocks.at(-1)?.output ?? ''
    assert.match(report, new RegExp(`\\nRunning for [\\d.]+ s: \\(sleep ${seconds}; true\\)\\n`))
    assert.match(
      report,
      /\nIts processes:\nbash \(\d+\): \w+.*\n {2}bash .*\n {4}sleep \(\d+\): sleeping/,
    )
    assert.not.ok(blocks.some(({ directive }) => directive === 'echo epilogue'))
    assert.equal(processesMatching(`sleep ${seconds}`), [])
  })

  test(`${executor}: a job that prints goes on, and one that is silent ends`, async () => {
    const job = {
      ...wrap(['for i in {1..24}; do echo $i; sleep 0.8; done', 'sleep 1000']),
      no_output_timeout_in_seconds: 15,
    }
    const finished = await runJob(job, { args: ['--no-output-timeout', '1h', '--job-timeout=0s'] })

    const blocks = assertEnded(finished, /^There has been no output for 15 s\.\n/)
    assert.match(blocks.find(({ directive }) => directive.startsWith('for'))?.output ?? '', '24\n')
    assert.is(blocks.at(-2)?.directive, 'sleep 1000')
  })
}

const SETTINGS: readonly [string, RunOptions, object][] = [
  [
    'the shorter one is the request’s',
    { args: ['--job-timeout', '1h'] },
    { timeout_in_seconds: 10 },
  ],
  [
    'the shorter one is the agent’s',
    { args: ['--job-timeout', '10s'] },
    { timeout_in_seconds: 100 },
  ],
  ['0 is none', { environment: { SEMAPHORE_AGENT_JOB_TIMEOUT: '10s' } }, { timeout_in_seconds: 0 }],
]

for (const [title, options, rest] of SETTINGS) {
  test(`of two limits the shorter one counts: ${title}`, async () => {
    const finished = await runJob(shellJob(['sleep 1000'], rest), options)

    assertEnded(finished, /^The job has taken longer than its limit of 10 s\.\n/)
  })
}

test('a limit that is not reached changes nothing', async () => {
  const limits = { timeout_in_seconds: 1_000_000_000, no_output_timeout_in_seconds: 3_000_000 }
  const { events, result } = await runJob(shellJob(['echo done'], limits))

  assert.is(result, 'passed')
  assert.is(blocksOf(events).at(-1)?.output, 'epilogue\n')
})

test('an epilogue that takes too long fails a job that would have passed', async () => {
  const epilogues = { epilogue_always_commands: [{ directive: 'sleep 1000' }] }
  const finished = await runJob(shellJob(['true'], epilogues), { args: ['--job-timeout', '10s'] })

  const blocks = assertEnded(finished, /\nRunning for [\d.]+ s: sleep 1000\n/)
  assert.ok(blocks.some(({ directive, exitCode }) => directive === 'true' && exitCode === 0))
})

test('a service that never gets ready is waited for no longer than the job may take', async () => {
  // It has a health check, which never passes.
  const service = { name: 'never', image: 'agent-test/postgres', entrypoint: 'sleep 1000' }
  const finished = await runJob(
    containerJob({}, ['echo no'], { services: [service], timeout_in_seconds: 15 }),
    { args: ['--service-start-timeout', '1h'] },
  )

  const blocks = assertEnded(finished, /\nRunning for [\d.]+ s: Starting the docker image\.\.\.\n/)
  assert.is(blocks.at(-2)?.directive, 'Starting the docker image...')
})

test('agent serve: its own limit counts, as does that of a request; a bad one is refused', async () => {
  await withAgent(
    async (served) => {
      const submit = (job: object) =>
        served.ask('POST', '/jobs', {
          body: JSON.stringify({ ...shellJob(['sleep 1000']), ...job }),
        })
      const wrong = await submit({ job_id: 'wrong', timeout_in_seconds: '1h' })
      assert.is(wrong.status, 422)
      assert.match(wrong.text, 'timeout_in_seconds: expected a whole number of seconds')

      for (const [id, limits, problem] of [
        ['own', {}, 'The job has taken longer than its limit of 4 s.'],
        ['asked', { no_output_timeout_in_seconds: 1 }, 'There has been no output for 1 s.'],
      ] as const) {
        await whenFree(served)
        assert.is((await submit({ job_id: id, ...limits })).status, 200)
        const events = eventsIn(await followLog(served, id))
        const last = events.at(-1)
        assert.is(last?.event === 'job_finished' && last.result, 'failed')
        assert.match(blocksOf(events).at(-1)?.output ?? '', problem)
      }
    },
    [],
    { environment: { SEMAPHORE_AGENT_JOB_TIMEOUT: '4s', SEMAPHORE_AGENT_STOP_GRACE_PERIOD: '1s' } },
  )
})

for (const [yaml, problem] of [
  [
    'timeout_in_seconds: 1h',
    'timeout_in_seconds: expected a whole number of seconds, 0 or more, got "1h"',
  ],
  [
    'timeout_in_seconds: "60"',
    'timeout_in_seconds: expected a whole number of seconds, 0 or more, got "60"',
  ],
  ['no_output_timeout_in_seconds: 1.5', 'no_output_timeout_in_seconds: expected a whole'],
  ['no_output_timeout_in_seconds: -1', 'no_output_timeout_in_seconds: expected a whole'],
  ['timeout_in_seconds: true', 'timeout_in_seconds: expected a whole number'],
  ['timeout_in_seconds: .inf', 'timeout_in_seconds: expected a whole number'],
] as const) {
  test(`${yaml} is refused by its path`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'job-'))
    try {
      writeFileSync(join(directory, 'job.yaml'), `${yaml}\ncommands: [{ directive: echo no }]\n`)
      const { code, stdout, stderr } = await runAgent(['run', 'job.yaml'], { cwd: directory })

      assert.is(code, 2)
      assert.is(stdout, '')
      assert.match(stderr, problem)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
}

test.run()

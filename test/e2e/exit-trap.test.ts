/** The EXIT trap of a job's shell, when the job has come to its end. */

import * as assert from 'uvu/assert'
import { runJob, startJob } from '../helpers/agent.ts'
import { besideSuite } from '../helpers/beside-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { describeJob, type InJobOptions, PLACES, type Place } from '../helpers/in-job.ts'

const TITLE = "Running the EXIT trap of the job's shell"

const WORLDS: readonly (InJobOptions & { readonly name: string; readonly place: Place })[] = [
  { name: 'host', place: 'host' },
  { name: 'debian', place: 'container' },
  { name: 'bash 5.1', place: 'container', image: 'agent-test/old-bash' },
  { name: 'bash alone', place: 'container', image: 'agent-test/bare' },
]

const PAUSE = 'read -t 0.2 x <> <(:)'

for (const world of WORLDS.filter(({ place }) => PLACES.includes(place))) {
  const test = besideSuite(`EXIT trap: ${world.name}`)
  const jobOf = (directives: readonly string[], epilogue: string): object => ({
    ...describeJob(world.place, directives, world),
    epilogue_always_commands: [{ directive: epilogue }],
  })

  test('runs once everything else is done, in a block of its own, and changes no result', async () => {
    const trap = `x=5; trap 'echo "bye $x $SEMAPHORE_JOB_RESULT"; ${PAUSE}; echo end; builtin exit 9' EXIT`
    const job = jobOf([trap, 'exit() { echo no; }; trap() { echo no; }'], 'echo epilogue')

    const { events, result, code } = await runJob(job)

    const [epilogue, last] = blocksOf(events).slice(-2)
    assert.is(result, 'passed')
    assert.is(code, 0)
    assert.is(epilogue?.output, 'epilogue\n')
    assert.equal(last, { directive: TITLE, output: 'bye 5 passed\nend\n', exitCode: 0 })
  })

  test('has no block when it prints nothing, nor has a shell without one', async () => {
    const silent = await runJob(jobOf([`trap ':' EXIT`], 'echo epilogue'))
    const none = await runJob(jobOf(['echo "trap -- x EXIT"'], 'trap "echo no" EXIT; trap - EXIT'))

    for (const { events, result } of [silent, none]) {
      assert.is(result, 'passed')
      assert.not.ok(blocksOf(events).some(({ directive }) => directive === TITLE))
    }
  })

  test('runs when the job has stopped itself', async () => {
    const job = jobOf([`trap 'echo bye' EXIT`, '( exit 130 )'], 'echo no')

    const { events, result } = await runJob(job)

    assert.is(result, 'stopped')
    assert.equal(blocksOf(events).at(-1), { directive: TITLE, output: 'bye\n', exitCode: 0 })
  })

  test('is killed after the grace period, and says so', async () => {
    const job = jobOf([`trap 'echo hangs; while :; do ${PAUSE}; done' EXIT`], 'true')

    const { events, result } = await runJob(job, { args: ['--stop-grace-period', '2500ms'] })

    assert.is(result, 'passed')
    assert.equal(blocksOf(events).at(-1), {
      directive: TITLE,
      output: 'hangs\nThe EXIT trap was still running after 2.5 s and was killed.\n',
      exitCode: 1,
    })
  })

  test('is ended by a stop, which makes the job a stopped one', async () => {
    const program = `bash -c 'trap "echo asked; exit" TERM; echo runs; while :; do ${PAUSE}; done'`
    const job = jobOf([`end() { ${program}; echo no; }; trap end EXIT`], 'true')
    const running = await startJob(job, { args: ['--stop-grace-period', '1m'] })
    await waitFor(() => running.stdout.includes('"runs\\n'), 'the trap runs')

    running.signal('SIGINT')
    const { events, result } = await running.finished

    assert.is(result, 'stopped')
    assert.equal(blocksOf(events).at(-1), {
      directive: TITLE,
      output: 'runs\nasked\n',
      exitCode: 1,
    })
  })

  test.run()
}

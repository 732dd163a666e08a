/** What a stop does to a job, on the host and in containers: the same for each. */

import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type FinishedJob, startJob } from '../helpers/agent.ts'
import { besideSuite } from '../helpers/beside-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { describeJob, type InJobOptions, PLACES, type Place } from '../helpers/in-job.ts'
import { createJobId } from '../helpers/job-id.ts'
import { eventsIn, followLog, withAgent } from '../helpers/served-agent.ts'
import { ENGINE_SOCKET, HOST_SOCKET } from '../setup/engine.ts'

interface World extends InJobOptions {
  readonly name: string
  readonly place: Place
}

const WORLDS: readonly World[] = [
  { name: 'host', place: 'host' },
  { name: 'debian', place: 'container' },
  {
    name: 'debian, under an entrypoint that waits for it',
    place: 'container',
    entrypoint: `bash -c '"$@"; exit $?' entrypoint`,
  },
  { name: 'bash 5.1', place: 'container', image: 'agent-test/old-bash' },
  { name: 'bash alone', place: 'container', image: 'agent-test/bare' },
]

/** Waits without a program: an image may have none. */
const PAUSE = 'read -t 0.5 x <> <(:)'

/** Cleans up for two seconds when it is asked to end, and says so all the time. */
const CLEANS_UP = `bash -c 'trap "for i in 1 2 3 4; do ${PAUSE}; echo clean \\$i; done; exit 3" TERM
echo ready; while :; do ${PAUSE}; done'`

const CLEANED_UP = 'ready\nclean 1\nclean 2\nclean 3\nclean 4\n'

interface Case {
  readonly name: string
  readonly directive: string
  /** What it prints once it may be stopped. Default: `ready`. */
  readonly until?: string
  /** All of the block. */
  readonly output: string
  /** So that it is killed soon. */
  readonly ignoresTerm?: true
}

const WAIT = `while :; do ${PAUSE}; done`

const CASES: readonly Case[] = [
  {
    name: 'what cleans up when it is asked is let finish, and the shell runs no further line',
    directive: `${CLEANS_UP}\necho further`,
    output: CLEANED_UP,
  },
  {
    name: 'in a subshell, a pipeline, a command substitution as well',
    directive: `( x=$(${CLEANS_UP} >&2; echo no >&2); echo no ) | ( ${WAIT}; echo no ); echo no`,
    output: CLEANED_UP,
  },
  {
    name: 'a shell that traps HUP and TERM runs no further line either',
    directive: `trap 'echo no' HUP TERM; for i in 1 2 3; do ${CLEANS_UP}; echo no; done; echo no`,
    output: CLEANED_UP,
  },
  {
    name: 'a loop of short commands does not go on',
    directive: `echo ready; while :; do ( ${PAUSE} ); done; echo no`,
    output: 'ready\n',
  },
  {
    name: 'what the shell was replaced by is asked as any other',
    directive: `exec ${CLEANS_UP}`,
    output: CLEANED_UP,
  },
  {
    name: 'jobs in the background are asked and read, under job control too',
    directive: `set -m; ${CLEANS_UP} & wait; echo no`,
    output: CLEANED_UP,
  },
  {
    name: 'what is suspended is woken to be asked',
    directive: `${CLEANS_UP} & p=$!; { ${PAUSE}; kill -STOP $p; echo suspended; ${WAIT}; }; echo no`,
    until: 'suspended',
    output: 'ready\nsuspended\nclean 1\nclean 2\nclean 3\nclean 4\n',
  },
  {
    name: 'an EXIT trap runs once the others have cleaned up',
    directive: `trap 'echo bye' EXIT; ${CLEANS_UP}; echo no`,
    output: `${CLEANED_UP}bye\n`,
  },
  {
    name: 'an EXIT trap runs in the middle of a line of bash alone',
    directive: `trap 'echo bye' EXIT; echo ready; while :; do :; done; echo no`,
    output: 'ready\nbye\n',
  },
  {
    name: 'what ignores the question is killed after the grace period, and then the EXIT trap runs',
    directive: `trap 'echo bye' EXIT; bash -c 'trap "" TERM; echo ready; ${WAIT}'; echo no`,
    output: 'ready\nbye\n',
    ignoresTerm: true,
  },
  {
    name: 'what catches the question and goes on is killed after the grace period',
    directive: `bash -c 'trap "echo caught" TERM; echo ready; ${WAIT}'; echo no`,
    output: 'ready\ncaught\n',
    ignoresTerm: true,
  },
  {
    name: 'an EXIT trap that hangs is killed after the grace period',
    directive: `trap '${WAIT}' EXIT; echo ready; ${WAIT}; echo no`,
    output: 'ready\n',
    ignoresTerm: true,
  },
]

/** One on the newer engine: which bash is stopped, and below what, is the same beside any. */
const TRIED =
  ENGINE_SOCKET === HOST_SOCKET ? WORLDS : WORLDS.filter(({ name }) => name === 'debian')

for (const world of TRIED) {
  const test = besideSuite(`stop: ${world.name}`)

  for (const { name, directive, output, until = 'ready', ignoresTerm } of CASES) {
    test(name, async () => {
      const grace = ignoresTerm ? '3s' : '1m'
      const { last, finished } = await stopAt(jobIn(world, [directive, 'echo never']), until, [
        ...['--stop-grace-period', grace],
      ])

      assert.is(finished.code, 130)
      assert.is(finished.result, 'stopped')
      assert.is(last.directive, directive)
      assert.is(last.output, output)
      assert.is(last.exitCode, 1)
    })
  }

  test.run()
}

const test = besideSuite('stop')

for (const place of PLACES) {
  test(`${place}: POST /stop lets clean-up finish as well, here a program of its own`, async () => {
    const program = place === 'host' ? PYTHON : PERL
    await withAgent(async (served) => {
      const id = createJobId()
      const job = { ...describeJob(place, [`${program}\necho no`]), job_id: id }
      await served.ask('POST', '/jobs', { body: JSON.stringify(job) })
      await waitFor(async () => {
        const { text } = await served.ask('GET', `/jobs/${id}/log`)
        return text.includes('"ready\\n')
      }, 'the program runs')

      await served.ask('POST', '/stop')

      const last = blocksOf(eventsIn(await followLog(served, id))).at(-1)
      assert.is(last?.output, CLEANED_UP)
      assert.is(last?.exitCode, 1)
    })
  })

  test(`${place}: a stop during an epilogue lets it clean up, and nothing follows`, async () => {
    const job = {
      ...describeJob(place, ['echo passed']),
      epilogue_always_commands: [{ directive: CLEANS_UP }, { directive: 'echo never' }],
    }

    const { last, finished } = await stopAt(job, 'ready')

    assert.is(finished.result, 'stopped')
    assert.is(last.directive, CLEANS_UP)
    assert.is(last.output, CLEANED_UP)
  })

  test(`${place}: what runs beside the commands is asked too, and killed if need be`, async () => {
    const mark = `1000.${Math.floor(Math.random() * 1e9)}`
    const directives = [
      `(trap "" TERM; exec sleep ${mark}) & sleep ${mark} & disown -a; setsid -f sleep ${mark}`,
      `${CLEANS_UP}`,
    ]

    const { last, finished } = await stopAt(jobIn({ place }, directives), 'ready', [
      ...['--stop-grace-period', '8s'],
    ])

    assert.is(finished.result, 'stopped')
    assert.is(last.output, CLEANED_UP)
    assert.equal(processesMatching(`sleep ${mark}`), [])
  })
}

for (let round = 0; round < 20; round++) {
  const place = PLACES[round % PLACES.length] ?? 'container'

  test(`${place}: a stop at a random moment leaves nothing, ${round}`, async () => {
    const mark = `1000.${Math.floor(Math.random() * 1e9)}`
    const directives = [`sleep ${mark} & setsid -f sleep ${mark}`, `(sleep ${mark}); echo no`]
    const job = await startJob(jobIn({ place }, directives))
    await sleep(Math.random() * (place === 'host' ? 700 : 2_500))
    // The first moments are the runtime's own, which knows of no stop yet and makes nothing.
    job.signal('SIGINT')
    const { result } = await job.finished

    assert.ok(result === 'stopped' || job.stdout === '', result)
    assert.equal(processesMatching(mark), [])
  })
}

test.run()

const PYTHON = `python3 -uc '
import signal, sys, time
def clean_up(*_):
    for i in range(1, 5):
        time.sleep(0.5)
        print("clean", i)
    sys.exit(3)
signal.signal(signal.SIGTERM, clean_up)
print("ready")
time.sleep(1000)'`

const PERL = `perl -e '$| = 1;
$SIG{TERM} = sub { for (1 .. 4) { select undef, undef, undef, 0.5; print "clean $_\\n" } exit 3 };
print "ready\\n"; sleep 1000'`

function jobIn({ place, ...options }: Omit<World, 'name'>, directives: readonly string[]): object {
  return describeJob(place, directives, options)
}

interface Stopped {
  readonly last: Block
  readonly finished: FinishedJob
}

/** Presses Ctrl-C once the job has printed that. */
async function stopAt(job: object, text: string, args: readonly string[] = []): Promise<Stopped> {
  const running = await startJob(job, { args })
  await waitFor(() => running.stdout.includes(`${text}\\n`), 'the job may be stopped')
  running.signal('SIGINT')
  const finished = await running.finished
  const last = blocksOf(finished.events).at(-1)
  if (last === undefined) throw new Error(`nothing ran: ${finished.stdout}${finished.stderr}`)
  return { last, finished }
}

/** Podman's socket in place of Docker's: it says it speaks the same API. */

import { readFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode, runAgent, runJob, startJob } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { callEngineAt } from '../setup/engine.ts'
import { copyImages, type InnerEngine, PODMAN, startInnerEngine } from '../setup/inner-engine.ts'

interface Context {
  engine: InnerEngine
  environment: Readonly<Record<string, string>>
}

/** Kept between runs, so that its images are copied once. */
const DIRECTORY = '/var/lib/agent-test-podman'

const test = suite<Context>('podman')

test.before(async (t) => {
  t.engine = await startInnerEngine(PODMAN, 'agent-test-podman', DIRECTORY)
  t.environment = { DOCKER_HOST: `unix://${t.engine.socketPath}` }
  await copyImages(t.engine.socketPath, ['agent-test/debian'])
})

test.after(async (t) => {
  await t.engine.stop()
})

test.after.each(async ({ engine }) => {
  assert.equal(await namesOn(engine, '/containers/json?all=true'), [])
  assert.equal(await namesOn(engine, '/networks'), ['bridge'])
})

test('runs the hello job in a container, and keeps nothing of it', async (t) => {
  const { events, result } = await runJob(
    {
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image: 'agent-test/debian' }] },
      commands: [{ directive: 'echo "Hello from $BASH_VERSION"' }, { directive: '(exit 3)' }],
      epilogue_on_fail_commands: [{ directive: 'echo "$SEMAPHORE_JOB_RESULT"' }],
    },
    t,
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.match(blocks[4]?.output ?? '', /^Hello from 5\./)
  assert.is(blocks[5]?.exitCode, 3)
  assert.is(blocks.at(-1)?.output, 'failed\n')
})

test('lets clean-up finish when the job is stopped', async (t) => {
  const pause = 'read -t 0.5 x <> <(:)'
  const job = await startJob(
    {
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image: 'agent-test/debian' }] },
      commands: [
        {
          directive: `trap 'echo bye' EXIT
bash -c 'trap "${pause}; ${pause}; ${pause}; echo clean; exit" TERM; echo ready; while :; do ${pause}; done'
echo no`,
        },
      ],
    },
    t,
  )
  await waitFor(() => job.stdout.includes('"ready\\n'), 'the job may be stopped')

  job.signal('SIGINT')
  const { events, result } = await job.finished

  assert.is(result, 'stopped')
  assert.is(blocksOf(events).at(-1)?.output, 'ready\nclean\nbye\n')
})

test('writes files through links, and none onto what is no file', async (t) => {
  const entrypoint = ['bash', '-c', 'mkfifo /fifo; exec "$@"', 'entrypoint']
  const { events } = await runJob(
    {
      executor: 'dockercompose',
      compose: { containers: [{ name: 'main', image: 'agent-test/debian', entrypoint }] },
      files: ['~/new/file', '/etc/os-release', '/bin/file', '/fifo', '/later'].map((path) => ({
        path,
        content: encode(`${path}\n`),
        mode: '0',
      })),
      epilogue_always_commands: [
        { directive: 'cat ~/new/file /usr/lib/os-release /usr/bin/file' },
        { directive: 'stat -c "%a %F" ~/new/file /etc/os-release /fifo; ls /later 2>/dev/null' },
      ],
    },
    t,
  )

  const blocks = blocksOf(events)
  assert.match(
    blocks[3]?.output ?? '',
    /Injecting \/fifo with file mode 0\nFailed to write \/fifo: /,
  )
  assert.is(blocks.at(-2)?.output, '~/new/file\n/etc/os-release\n/bin/file\n')
  assert.is(blocks.at(-1)?.output, '0 regular file\n777 symbolic link\n644 fifo\n')
})

test('runs the job with a service that is reached by its name', async (t) => {
  const text = await readFile('examples/containers.yaml', 'utf8')
  const input = text.replaceAll('image: debian:12', 'image: agent-test/debian')

  const { code, stdout, stderr } = await runAgent(['run', '-'], { ...t, input })

  assert.is(code, 0, `${stdout}${stderr}`)
  assert.match(stdout, 'Hello from the greeter')
})

test('waits for services by their ports and their health checks, and tells of one that ends', async (t) => {
  await copyImages(t.engine.socketPath, ['agent-test/redis', 'agent-test/postgres'])
  const jobWith = (cache: object) => ({
    executor: 'dockercompose',
    compose: {
      containers: [
        { name: 'main', image: 'agent-test/debian' },
        { name: 'cache', image: 'agent-test/redis', ...cache },
        { name: 'db', image: 'agent-test/postgres' },
      ],
    },
    commands: [{ directive: 'exec 3<>/dev/tcp/db/5432 4<>/dev/tcp/cache/6379 && echo both' }],
  })

  const ready = await runJob(jobWith({}), t)
  const ended = await runJob(jobWith({ command: 'bash -c "echo sorry; exit 7"' }), t)

  assert.is(blocksOf(ready.events)[4]?.output, 'both\n', ready.stdout)
  const { output = '' } = blocksOf(ended.events).at(-1) ?? {}
  assert.is(ended.result, 'failed')
  assert.match(
    output,
    'Last output of service "cache":\nsorry\nService "cache" ended with exit code 7',
  )
})

test.run()

async function namesOn({ socketPath }: InnerEngine, path: string): Promise<string[]> {
  const { text } = await callEngineAt(socketPath, 'GET', path)
  const found = JSON.parse(text) as { Name?: string; Names?: string[] }[]
  return found.flatMap(({ Name, Names }) => Names ?? Name ?? [])
}

/** Services of a job: real servers, when they are ready, and what happens when they never are. */

import * as assert from 'uvu/assert'
import { encode, runAgent, runJob, startJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { createImage, type TestImage } from '../helpers/images.ts'

interface Context {
  images: TestImage[]
}

const test = engineSuite<Context>('services')

const CUT_SECRET = 'longer-than-what-is-shown'

test.before.each(async (t) => {
  t.images = []
})

test.after.each(async (t) => {
  for (const image of t.images) await image.remove()
})

const startBlock = (blocks: readonly Block[]): Block => {
  const block = blocks.find(({ directive }) => directive === 'Starting the docker image...')
  if (block === undefined) throw new Error('no container was started')
  return block
}

/** Listens on ports, each opened after so many seconds, and says which it has opened. */
const LISTEN = `use IO::Socket::INET; $| = 1; my @open; my $began = time; while (@ARGV) { my ($port, $after) = splice @ARGV, 0, 2; sleep 1 while time < $began + $after; push @open, IO::Socket::INET->new(LocalPort => $port, Listen => 5, ReuseAddr => 1); print "listening on $port\\n" } sleep 1000`

const listener = (...portsAndSeconds: readonly number[]) => [
  'perl',
  '-e',
  LISTEN,
  ...portsAndSeconds.map(String),
]

test('a real PostgreSQL and a real Redis are ready when the first command runs', async () => {
  const { events, result } = await runJob(
    containerJob(
      { image: 'agent-test/servers' },
      [
        'psql -h db -U postgres -Atc "select 6 * 7"',
        'redis-cli -h cache set answer 42 && redis-cli -h cache --raw get answer',
      ],
      {
        services: [
          { name: 'db', image: 'agent-test/postgres' },
          { name: 'cache', image: 'agent-test/redis' },
        ],
      },
    ),
  )

  const blocks = blocksOf(events)
  const { output, exitCode } = startBlock(blocks)
  assert.is(result, 'passed')
  assert.is(exitCode, 0)
  assert.match(output, /^Service "db" is healthy after \d+\.\d s\.$/m)
  assert.match(output, /^Service "cache" accepts connections on port 6379 after \d+\.\d s\.$/m)
  assert.is(blocks[FIRST]?.output, '42\n')
  assert.is(blocks[FIRST + 1]?.output, 'OK\n42\n')
})

/** Answers each connection with how many of the names it is given it can resolve. */
const RESOLVE =
  'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5, ReuseAddr => 1); while (my $c = $s->accept) { print $c scalar(grep { gethostbyname $_ } @ARGV), "\\n"; close $c }'

test('every container of a job reaches every other by its name, in capitals or not', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7000'])
  t.images.push(image)
  const names = Array.from({ length: 5 }, (_, i) => `Svc-${i}`)
  const everybody = ['main', ...names]
  const services = names.map((name) => ({
    name,
    image: image.name,
    command: ['perl', '-e', RESOLVE, ...everybody],
  }))
  const { events, result } = await runJob(
    containerJob(
      {},
      [`for name in ${names.join(' ').toLowerCase()}; do cat < /dev/tcp/$name/7000; done`],
      { services },
    ),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[FIRST]?.output, '6\n'.repeat(5))
})

test('a service without health check and ports is not waited for, and nothing is said of it', async () => {
  const { events, result } = await runJob(
    containerJob({}, ['true'], {
      services: [{ name: 'idle', image: IMAGE, command: 'sleep 1000' }],
    }),
  )

  assert.is(result, 'passed')
  assert.is(startBlock(blocksOf(events)).output, 'Starting a new bash session.\n')
})

test('a service with ports is ready when all of them accept a connection', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7001 7002 53/udp'])
  t.images.push(image)
  const { events, result } = await runJob(
    containerJob({}, ['exec 3<>/dev/tcp/late/7002 && echo connected'], {
      services: [{ name: 'late', image: image.name, command: listener(7001, 0, 7002, 2) }],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.match(startBlock(blocks).output, /"late" accepts connections on ports 7001 and 7002 after/)
  assert.is(blocks[FIRST]?.output, 'connected\n')
})

test('a port that stays closed when others are open does not fail the job', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7001 7002 7003'])
  t.images.push(image)
  const { events, result } = await runJob(
    containerJob({}, ['true'], {
      services: [{ name: 'half', image: image.name, command: listener(7002, 0) }],
    }),
    { args: ['--service-start-timeout', '8s'] },
  )

  assert.is(result, 'passed')
  assert.match(
    startBlock(blocksOf(events)).output,
    /^Service "half" accepts connections on port 7002 after \d+\.\d s; not on ports 7001 and 7003\.$/m,
  )
})

/** Its second port swallows every attempt to connect, as a firewall does: its queue is full. */
const SWALLOW = `use IO::Socket::INET; my @open = map { IO::Socket::INET->new(LocalPort => $_, Listen => $_ == 81 ? 1 : 5) } 81, 80; my @queue = map { IO::Socket::INET->new(PeerHost => "127.0.0.1", PeerPort => 81, Timeout => 1) } 1 .. 3; sleep 1000`

test('a port that answers nothing at all does not hide those that are open', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 80 81'])
  t.images.push(image)
  const service = { name: 'walled', image: image.name, command: ['perl', '-e', SWALLOW] }
  const { events, result } = await runJob(containerJob({}, ['true'], { services: [service] }), {
    args: ['--service-start-timeout', '15s'],
  })

  const { output } = startBlock(blocksOf(events))
  assert.is(result, 'passed')
  assert.match(output, /^Service "walled" accepts connections on port 80 .*; not on port 81\.$/m)
})

test('a port that is open on the service’s loopback only does not count', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7001'])
  t.images.push(image)
  const local = LISTEN.replace('LocalPort', "LocalAddr => '127.0.0.1', LocalPort")
  const { events, result } = await runJob(
    containerJob({}, ['true'], {
      services: [{ name: 'shy', image: image.name, command: ['perl', '-e', local, '7001', '0'] }],
    }),
    { args: ['--service-start-timeout', '6s'] },
  )

  const { output, exitCode } = startBlock(blocksOf(events))
  assert.is(result, 'failed')
  assert.is(exitCode, 1)
  assert.match(output, /^Last output of service "shy":\nlistening on 7001\n/m)
  assert.match(
    output,
    /^Service "shy" accepted no connection on port 7001 within \d+\.\d s \[ERR_CONTAINER_FAILED\]$/m,
  )
})

test('a service that ends fails the job at once, with its exit code and its last 50 lines', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7001'])
  t.images.push(image)
  const { events, result } = await runJob(
    containerJob({}, ['echo no'], {
      services: [{ name: 'db', image: image.name, command: `bash -c 'seq 1 60; exit 7'` }],
    }),
    { args: ['--service-start-timeout', '1h'] },
  )

  const blocks = blocksOf(events)
  const { output, exitCode } = startBlock(blocks)
  const shown = /service "db":\n(?<lines>.*)\nService "db" ended/s.exec(output)?.groups?.['lines']
  const numbers = Array.from({ length: 50 }, (_, i) => String(i + 11))
  assert.is(result, 'failed')
  assert.is(exitCode, 1)
  assert.is(shown, numbers.join('\n'))
  assert.match(output, 'Service "db" ended with exit code 7')
  assert.is(blocks.at(-1)?.directive, 'Starting the docker image...')
})

test('also one that has nothing to wait for, while another one is waited for', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7001'])
  t.images.push(image)
  const { events, result } = await runJob(
    containerJob({}, ['echo no'], {
      services: [
        { name: 'never', image: image.name, command: 'sleep 1000' },
        { name: 'gone', image: IMAGE, command: 'bash -c "exit 3"' },
      ],
    }),
    { args: ['--service-start-timeout', '1h'] },
  )

  const { output } = startBlock(blocksOf(events))
  assert.is(result, 'failed')
  assert.match(output, 'Service "gone" has printed nothing.\nService "gone" ended with exit code 3')
  assert.not.match(output, 'service "never"')
})

test('a health check that the engine would run in an hour passes as soon as it can', async (t) => {
  const image = await createImage(IMAGE, [
    'HEALTHCHECK --interval=1h CMD test -e /tmp/ready',
    'EXPOSE 7001',
  ])
  t.images.push(image)
  const command = ['bash', '-c', 'sleep 1; touch /tmp/ready; exec "$@"', 'up', ...listener(7001, 1)]
  const { events, result } = await runJob(
    containerJob({}, ['exec 3<>/dev/tcp/db/7001 && echo up'], {
      services: [{ name: 'db', image: image.name, command }],
    }),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.match(startBlock(blocks).output, /^Service "db" is healthy after \d+\.\d s\.$/m)
  assert.is(blocks[FIRST]?.output, 'up\n')
})

test('a service that is unhealthy fails the job at once', async (t) => {
  const image = await createImage(IMAGE, [
    `HEALTHCHECK --interval=100ms --timeout=5s --retries=2 CMD echo not yet; printf '%0485d' 0; echo ${CUT_SECRET}; exit 1`,
  ])
  t.images.push(image)
  const { events, result } = await runJob(
    {
      ...containerJob({}, ['echo no'], {
        services: [{ name: 'db', image: image.name, command: 'bash -c "echo up >&2; sleep 1000"' }],
      }),
      env_vars: [{ name: 'CUT_SECRET', value: encode(CUT_SECRET) }],
    },
    { args: ['--service-start-timeout', '1h'] },
  )

  const { output, exitCode } = startBlock(blocksOf(events))
  assert.is(result, 'failed')
  assert.is(exitCode, 1)
  assert.match(output, 'Last output of service "db":\nup\nService "db" is unhealthy')
  assert.match(
    output,
    /its health check failed too often, at last with: not yet; 0{485}\[secre… \[ERR_CONTAINER_FAILED\]\n/,
  )
})

test('--service-start-timeout is how long a health check may take, by flag and by variable', async (t) => {
  const image = await createImage(IMAGE, ['HEALTHCHECK --interval=30s CMD exit 1'])
  t.images.push(image)
  const job = containerJob({}, ['echo no'], {
    services: [{ name: 'db', image: image.name, command: 'sleep 1000' }],
  })
  const byFlag = await runJob(job, { args: ['--service-start-timeout', '200ms'] })
  const byVariable = await runJob(job, {
    environment: { SEMAPHORE_AGENT_SERVICE_START_TIMEOUT: '200ms' },
  })

  for (const { events, result } of [byFlag, byVariable]) {
    assert.is(result, 'failed')
    assert.match(
      startBlock(blocksOf(events)).output,
      /"db" was not healthy within \d\.\d s \[ERR_CONTAINER_FAILED\]\n/,
    )
  }
})

test('a main image without bash is told at once, whatever its services wait for', async (t) => {
  const service = await createImage(IMAGE, ['EXPOSE 7001'])
  const bare = await createImage('agent-test/bare', ['ENV PATH=/nowhere'])
  t.images.push(service, bare)
  const { events, result } = await runJob(
    containerJob(
      {
        image: bare.name,
      },
      ['echo no'],
      { services: [{ name: 'never', image: service.name, command: 'sleep 1000' }] },
    ),
    { args: ['--service-start-timeout', '1h'] },
  )

  const { output, exitCode } = startBlock(blocksOf(events))
  assert.is(result, 'failed')
  assert.is(exitCode, 1)
  assert.match(
    output,
    /\nFailed to start the docker image\nThe image has no bash on its PATH[^\n]+\n$/,
  )
})

test('a stop while services are waited for leaves nothing', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7001'])
  t.images.push(image)
  const job = await startJob(
    containerJob({}, ['echo no'], {
      services: [
        { name: 'never', image: image.name, command: 'sleep 1000' },
        { name: 'open', image: image.name, command: listener(7001, 0) },
      ],
    }),
  )
  await waitFor(() => job.stdout.includes('accepts connections'), 'services are waited for')

  job.signal('SIGTERM')
  const { code, events, result } = await job.finished

  assert.is(code, 130)
  assert.is(result, 'stopped')
  assert.is(startBlock(blocksOf(events)).exitCode, 1)
})

test('a service that has ended is named when the job has failed, with its last line', async () => {
  const serve = `$s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5); $s->accept; print "the end\\n"; exit 3`
  const directives = [
    'until true 3<>/dev/tcp/db/7000; do sleep 0.1; done 2>/dev/null',
    'while getent hosts db; do sleep 0.1; done',
    'false',
  ]
  const job = containerJob({}, directives, {
    services: [
      { name: 'db', image: IMAGE, command: ['perl', '-MIO::Socket::INET', '-e', serve] },
      { name: 'alive', image: IMAGE, command: 'sleep 1000' },
    ],
  })

  const { stdout, code } = await runAgent(['run', '-'], { input: JSON.stringify(job) })

  assert.is(code, 1)
  const summary = stdout.slice(stdout.indexOf('✗ false: exit code 1'))
  assert.match(summary, '  Service "db" ended with exit code 3; its last line: the end\n')
  assert.not.match(summary, 'alive')
})

test.run()

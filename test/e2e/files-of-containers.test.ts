/** Files that a request gives to one container: they are there when it starts. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { encode, runAgent, runJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { createImage, type TestImage } from '../helpers/images.ts'

interface Context {
  images: TestImage[]
}

const test = engineSuite<Context>('files of containers')

test.before.each(async (t) => {
  t.images = []
})

test.after.each(async (t) => {
  for (const image of t.images) await image.remove()
})

/** Does what it is told when it starts, and gives what came of it to everybody who connects. */
const REPORT =
  'use IO::Socket::INET; my $found = `@ARGV 2>&1`; my $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5, ReuseAddr => 1); while (my $c = $s->accept) { print $c $found; close $c }'

const reporter = (image: TestImage, command: string, rest: object) => ({
  ...{ name: 'db', image: image.name },
  ...{ command: ['perl', '-e', REPORT, command], ...rest },
})

const file = (path: string, text: string, mode?: string) => ({ path, content: encode(text), mode })

const startBlock = (blocks: readonly Block[]) =>
  blocks.find(({ directive }) => directive === 'Starting the docker image...')

const nothingElse = (blocks: readonly Block[]) =>
  assert.is(blocks.at(-1)?.directive, 'Starting the docker image...')

test('a service finds its files when it starts: in order, with modes, those of its user', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7000', 'USER www-data:games'])
  t.images.push(image)
  const command =
    "stat -c '%n %U:%G %a' /srv/a /srv/a/one ~/two ~/three; cat /srv/a/one ~/two ~/three"
  const files = [
    file('/srv/a/one', 'first\n', '0644'),
    file('~/two', '2\n', '+x'),
    file('three', '3\n'),
    file('/srv/a/one', 'last\n', '0600'),
  ]
  const { events, result } = await runJob(
    containerJob({}, ['cat </dev/tcp/db/7000; ls -d /srv/a'], {
      services: [reporter(image, command, { files })],
    }),
  )

  const block = blocksOf(events)[FIRST]
  assert.is(
    block?.output,
    [
      '/srv/a www-data:games 755',
      '/srv/a/one www-data:games 600',
      '/var/www/two www-data:games 755',
      '/var/www/three www-data:games 644',
      'last\n2\n3',
      "ls: cannot access '/srv/a': No such file or directory\n",
    ].join('\n'),
  )
  assert.is(result, 'failed') // by `ls`: they are the service's alone
})

test('the entrypoint of the main container finds its files, and so do the commands', async () => {
  const { events, result } = await runJob(
    containerJob(
      {
        entrypoint: ['bash', '-c', 'cat ~/one; exec "$@"', 'entrypoint'],
        env_vars: [{ name: 'HOME', value: encode('/home/job') }],
        user: '4711:4712',
        files: [file('one', 'at the start\n', '0640')],
      },
      ["cat ~/one; stat -c '%u:%g %a' /home/job/one"],
    ),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(startBlock(blocks)?.output, 'Starting a new bash session.\nat the start\n')
  assert.is(blocks[FIRST]?.output, 'at the start\n4711:4712 640\n')
})

test('many files arrive where no shell can be asked about their places', async (t) => {
  const image = await createImage(IMAGE, ['EXPOSE 7000'])
  t.images.push(image)
  const files = Array.from({ length: 300 }, (_, i) => file(`/bin/d${i % 30}/f${i}`, `${i}\n`))
  const { events, result } = await runJob(
    containerJob({}, ['cat </dev/tcp/db/7000'], {
      services: [reporter(image, 'cat /usr/bin/d*/f* | wc -l; ls -ld /bin', { files })],
    }),
  )

  assert.is(result, 'passed')
  assert.match(blocksOf(events)[FIRST]?.output ?? '', /^300\nl.* \/bin -> usr\/bin\n$/)
})

const BAD: readonly (readonly [what: string, file: object, reason: RegExp])[] = [
  ['a mode that is none', file('/x', '', '9z'), /^Failed to set file mode to 9z$/m],
  ['a path that is a directory', file('/etc', ''), /^Failed to write \/etc: .+$/m],
  ['a path below a file', file('/etc/passwd/x', ''), /^Failed to write \/etc\/passwd\/x: .+$/m],
  ['what the engine makes', file('/etc/hosts', ''), /^Failed to write \/etc\/hosts: the engine/m],
  ['a mount of its own', file('/dev/shm/x', ''), /^Failed to write \/dev\/shm\/x: the engine/m],
]

for (const [what, bad, reason] of BAD) {
  test(`${what}: the block that starts containers fails, and says which`, async () => {
    const files = [file('/before', ''), bad, file('/after', '')]
    const services = [{ name: 'db', image: IMAGE, command: 'sleep 1000', files }]
    const epilogue = [{ directive: 'echo no' }]
    const { events, result } = await runJob(
      containerJob({}, ['echo no'], { services, epilogue_always_commands: epilogue }),
    )

    const blocks = blocksOf(events)
    const { output = '', exitCode } = startBlock(blocks) ?? {}
    assert.is(result, 'failed')
    assert.is(exitCode, 1)
    assert.match(output, /^Starting a new bash session\.\nInjecting \/before with file mode 0644\n/)
    assert.match(output, reason)
    assert.match(output, 'Container "db" did not get its files [ERR_CONTAINER_FAILED]\n')
    assert.not.match(output, '/after')
    nothingElse(blocks)
  })
}

test('content that is not base64 fails the same block, with file and container', async () => {
  const { events, result } = await runJob(
    containerJob({ files: [{ path: '/x', content: '*' }] }, ['echo no']),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.match(
    startBlock(blocks)?.output ?? '',
    '\nInjecting /x with file mode 0644\nThe content of /x is not base64: its character 1 is not in the base64 alphabet [ERR_CONTENT_INVALID]\n',
  )
  nothingElse(blocks)
})

test('null is none, and a job file may name files beside it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'job-'))
  try {
    writeFileSync(join(directory, 'beside'), 'beside\n')
    const job = `executor: dockercompose
compose:
  containers:
    - { name: main, image: ${IMAGE}, files: [{ path: /x, file: ./beside, mode: 0600 }] }
    - { name: idle, image: ${IMAGE}, command: sleep 1000, files: null }
commands:
  - directive: stat -c %a /x; cat /x
`
    writeFileSync(join(directory, 'job.yaml'), job)
    const { code, stdout } = await runAgent(['run', join(directory, 'job.yaml')])

    assert.is(code, 0)
    assert.match(stdout, '600\nbeside\n')
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test.run()

/** What a container of a job may be: users, entrypoints, odd images, limits, files of the host. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import * as assert from 'uvu/assert'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { startEngineProxy } from '../helpers/engine-proxy.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { createImage, type TestImage } from '../helpers/images.ts'
import { createJobId } from '../helpers/job-id.ts'
import { callEngine } from '../setup/engine.ts'
import { run } from '../setup/run.ts'

interface Context {
  images: TestImage[]
  directories: string[]
}

const test = engineSuite<Context>('container options')

test.before.each(async (t) => {
  t.images = []
  t.directories = []
})

test.after.each(async (t) => {
  for (const image of t.images) await image.remove()
  for (const directory of t.directories) await rm(directory, { recursive: true })
})

const blockNamed = (blocks: readonly Block[], directive: string): Block => {
  const block = blocks.find((one) => one.directive === directive)
  if (block === undefined) throw new Error(`no block ${directive}`)
  return block
}

const NO_HOME = { user: 'nobody', id: '65534:65534', home: '/nonexistent' }

test('variables and files are the job’s user’s, by name, uid, uid:gid, with and without a home', async () => {
  const users = [
    { user: 'www-data:games', id: '33:60', home: '/var/www' },
    { user: '33', id: '33:33', home: '/var/www' },
    { user: '1000670000:1235', id: '1000670000:1235', home: '/' },
    NO_HOME,
  ]
  const jobs = users.map(({ user }) =>
    runJob(
      containerJob(
        { user },
        [
          'echo "$UID:$GROUPS $HOME $A"',
          "stat -c '%u:%g %a' ~/deep/er/file ~/deep ~/deep/er; cat ~/deep/er/file",
        ],
        {
          env_vars: [{ name: 'A', value: encode('exported') }],
          files: [{ path: '~/deep/er/file', content: encode('text\n'), mode: '0640' }],
        },
      ),
    ),
  )

  for (const [i, { events, result }] of (await Promise.all(jobs)).entries()) {
    const { id, home } = users[i] ?? NO_HOME
    const blocks = blocksOf(events)
    assert.is(result, 'passed')
    assert.is(blocks[FIRST]?.output, `${id} ${home} exported\n`)
    assert.is(blocks[FIRST + 1]?.output, `${id} 640\n${id} 755\n${id} 755\ntext\n`)
  }
})

test('a user the image does not know is told in one line', async () => {
  const { events, result } = await runJob(containerJob({ user: 'nosuch' }, ['echo no']))

  const block = blocksOf(events).at(-1)
  assert.is(result, 'failed')
  assert.match(block?.output ?? '', /\nFailed to start the docker image\n[^\n]*nosuch[^\n]*\n$/)
})

test('entrypoint and command keep their quoted words, of the main container and of a service', async () => {
  const script =
    'use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5); while (my $c = $s->accept) { print $c join("|", @ARGV), "\\n"; close $c }'
  const talker = {
    name: 'talker',
    image: IMAGE,
    entrypoint: `perl -e '${script}' "an  entry" `,
    command: `'two  words' "and \\"quotes\\"" back\\ slash`,
  }
  const { events, result } = await runJob(
    containerJob(
      { entrypoint: `env 'A=one  two' "B=it's"` },
      [
        'echo "$A|$B"',
        'for i in {1..100}; do exec 3<>/dev/tcp/talker/7000 && break; sleep 0.1; done 2>/dev/null; cat <&3',
      ],
      { services: [talker] },
    ),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(blocks[FIRST]?.output, `one  two|it's\n`)
  assert.is(blocks[FIRST + 1]?.output, 'an  entry|two  words|and "quotes"|back slash\n')
})

test('the shell runs under the entrypoint script of the image', async (t) => {
  const script = '#!/bin/sh\necho preparing\nexport PREPARED="yes, by $0"\nexec "$@"\n'
  const image = await createImage(IMAGE, ['ENTRYPOINT ["/entry.sh"]'], { '/entry.sh': script })
  t.images.push(image)
  const { events, result } = await runJob(containerJob({ image: image.name }, ['echo "$PREPARED"']))

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(blocks[1]?.output, 'Starting a new bash session.\npreparing\n')
  assert.is(blocks[FIRST]?.output, 'yes, by /entry.sh\n')
})

test('also under a shell, which takes a script or a whole command line', async (t) => {
  const image = await createImage(IMAGE, ['ENTRYPOINT ["/bin/bash", "-lc"]'])
  t.images.push(image)
  const mains = [
    { image: image.name },
    { image: image.name, entrypoint: [''] }, // none at all
    { entrypoint: '/bin/sh -c' },
    { entrypoint: '/bin/bash' },
    { entrypoint: 'env A=b bash --login' },
  ]
  const jobs = mains.map((main) => runJob(containerJob(main, ['echo "$BASH_VERSION"'])))

  for (const { events, result } of await Promise.all(jobs)) {
    assert.is(result, 'passed')
    assert.match(blocksOf(events)[FIRST]?.output ?? '', /^5\./)
  }
})

test('bash is found wherever the PATH of the image has it', async (t) => {
  const bash = await readFile('/bin/bash')
  const image = await createImage('agent-test/bare', ['ENV PATH=/opt/own/bin'], {
    '/opt/own/bin/bash': bash,
  })
  t.images.push(image)
  const job = await startJob(
    containerJob({ image: image.name }, [
      '[[ /proc/$$/exe -ef /opt/own/bin/bash ]] && echo own',
      'echo now; while :; do :; done',
    ]),
  )
  await waitFor(() => job.stdout.includes('now\\n'), 'the loop runs')

  job.signal('SIGTERM')
  const { events, result } = await job.finished

  assert.is(blocksOf(events)[FIRST]?.output, 'own\n')
  assert.is(result, 'stopped')
})

test('an image that ends at once fails the job at once, with what it said', async (t) => {
  const quiet = await createImage(IMAGE, ['ENTRYPOINT ["true"]'])
  const loud = await createImage(IMAGE, ['ENTRYPOINT ["sh", "-c", "echo no config; exit 4"]'])
  t.images.push(quiet, loud)
  const [first, second] = await Promise.all([
    runJob(containerJob({ image: quiet.name }, ['echo no'])),
    runJob(containerJob({ image: loud.name }, ['echo no'])),
  ])

  for (const { events, result } of [first, second]) {
    const block = blocksOf(events).at(-1)
    assert.is(result, 'failed')
    assert.is(block?.directive, 'Starting the docker image...')
    assert.is(block?.exitCode, 1)
    assert.match(block?.output ?? '', /^Failed to start the docker image\n[^\n]+\n$/m)
  }
  const said = (events: typeof first.events) => blocksOf(events).at(-1)?.output ?? ''
  assert.match(
    said(first.events),
    'ended with exit code 0 before it was ready. It printed nothing.',
  )
  assert.match(
    said(second.events),
    'ended with exit code 4 before it was ready. It printed: no config',
  )
})

test('an engine that makes every root read-only is told as the reason', async () => {
  const proxy = await startEngineProxy()
  proxy.on(/^POST \/containers\/create/, async ({ request, response }) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const spec = JSON.parse(body) as { HostConfig: object }
    Object.assign(spec.HostConfig, { ReadonlyRootfs: true })
    const changed = Readable.from([JSON.stringify(spec)], { objectMode: false })
    const json = { 'content-type': 'application/json' }
    const { status, text } = await callEngine('POST', request.url ?? '', changed, json)
    response?.writeHead(status, json).end(text)
  })
  const { events, result } = await runJob(containerJob({}, ['echo no']), {
    environment: proxy.environment,
  })
  await proxy.close()

  const block = blocksOf(events).at(-1)
  assert.is(result, 'failed')
  assert.is(block?.directive, 'Starting the docker image...')
  assert.match(block?.output ?? '', /write files into the container: [^\n]*read-only/)
})

test('what the engine will not do as asked is in the log', async () => {
  const proxy = await startEngineProxy()
  proxy.on(/^POST \/containers\/create/, async ({ request, response }) => {
    const json = { 'content-type': 'application/json' }
    const { status, text } = await callEngine('POST', request.url ?? '', request, json)
    const Warnings = ['Limitation discarded.']
    response?.writeHead(status, json).end(JSON.stringify({ ...JSON.parse(text), Warnings }))
  })
  const { events, result } = await runJob(containerJob({ memory: '64m' }, ['true']), {
    environment: proxy.environment,
  })
  await proxy.close()

  assert.is(result, 'passed')
  assert.match(
    blockNamed(blocksOf(events), 'Starting the docker image...').output,
    'The engine warns about container "main": Limitation discarded.\n',
  )
})

test('limits hold: the container is made with them, and a kill for memory is named', async () => {
  const { events, result } = await runJob(
    containerJob({ memory: '32m', cpus: 0.5 }, [
      'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true',
      'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; true',
      `exec perl -e '$x = "x" x 2e8'`,
    ]),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'failed')
  assert.is(blocks[FIRST]?.output, `${32 * 1024 ** 2}\n`)
  assert.match(blocks[FIRST + 1]?.output ?? '', /^50000\b/)
  assert.is(blocks[FIRST + 2]?.exitCode, 137)
  // A busy engine may miss that it was for memory; the limit is named in any case.
  const named = /ran out of memory \(its limit: 32 MiB\)|out of memory: its limit is 32 MiB/
  assert.match(blocks[FIRST + 2]?.output ?? '', named)
})

test('more processors than there are is told with their number', async () => {
  const { events, result } = await runJob(containerJob({ cpus: 4000 }, ['echo no']))

  assert.is(result, 'failed')
  assert.match(blocksOf(events).at(-1)?.output ?? '', /only \d+ CPUs available/)
})

test('an image for the platform that is asked for is used; one for another is not', async (t) => {
  const image = await createImage(IMAGE, ['LABEL of=a-test'])
  t.images.push(image)
  const platform = { x64: 'linux/x86_64', arm64: 'linux/aarch64' }[process.arch as 'arm64' | 'x64']
  const never = { image: image.name, pull_policy: 'never' }
  const [right, wrong] = await Promise.all([
    runJob(containerJob({ ...never, platform }, ['echo ran'])),
    runJob(containerJob({ ...never, platform: 'linux/s390x' }, ['echo no'])),
  ])

  assert.is(right.result, 'passed')
  assert.is(wrong.result, 'failed')
  const { output } = blockNamed(blocksOf(wrong.events), 'Pulling docker images...')
  assert.match(output, `Image "${image.name}" for linux/s390x is not on this host`)
})

test('--files puts files and directories of the host into the main container', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'given-'))
  t.directories.push(directory)
  await writeFile(join(directory, 'a'), 'from the host\n')
  const { events, result } = await runJob(
    containerJob({}, ['cat /etc/given/a "/opt/one file"; echo back > /etc/given/b']),
    {
      args: [
        `--files=${directory}:/etc/given,${directory}/a:/opt/one file`,
        '--files',
        '/no/such:/x',
      ],
    },
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(blocks[FIRST]?.output, 'from the host\nfrom the host\n')
  assert.is(await readFile(join(directory, 'b'), 'utf8'), 'back\n')
  assert.match(blocks[1]?.output ?? '', 'Skipping /no/such: the host has no such file.\n')
})

test('--fail-on-missing-files fails the job with the file’s name', async () => {
  const { events, result } = await runJob(containerJob({}, ['echo no']), {
    args: ['--fail-on-missing-files'],
    environment: { SEMAPHORE_AGENT_FILES: '/no/such:/x' },
  })

  const block = blocksOf(events).at(-1)
  assert.is(result, 'failed')
  assert.is(block?.directive, 'Starting the docker image...')
  assert.is(block?.exitCode, 1)
  assert.match(block?.output ?? '', '/no/such')
})

test('/dev/kvm of the host is passed on, unless the flag forbids it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'kvm-'))
  t.directories.push(directory)
  const jobFile = join(directory, 'job.json')
  await writeFile(jobFile, JSON.stringify({ job_id: createJobId(), ...containerJob({}, []) }))
  // A host on which it is there; the engine's own may have none, and then refuses to start.
  const devices = join(directory, 'dev')
  const host = `mkdir ${devices} && mount -t tmpfs none ${devices} && touch ${devices}/null ${devices}/kvm && mount --bind /dev/null ${devices}/null && mount --bind ${devices} /dev`
  const devicesWith = async (flag: string) => {
    const proxy = await startEngineProxy()
    let asked = ''
    proxy.on(/^POST \/containers\/create/, ({ request, pass }) => {
      request.on('data', (chunk: Buffer) => {
        asked += chunk
      })
      pass()
    })
    const command = `${host} && { ${resolve('dist/agent')} run ${flag} ${jobFile}; true; }`
    await run('unshare', ['--mount', 'bash', '-c', command], {
      limitMs: 60_000,
      environment: proxy.environment,
    })
    await proxy.close()
    await rm(devices, { recursive: true, force: true })
    const spec = JSON.parse(asked) as { HostConfig: { Devices: object[] } }
    return spec.HostConfig.Devices
  }

  const kvm = { PathOnHost: '/dev/kvm', PathInContainer: '/dev/kvm', CgroupPermissions: 'rwm' }
  assert.equal(await devicesWith(''), [kvm])
  assert.equal(await devicesWith('--no-expose-kvm-device'), [])
})

test('host setup commands run first, on the host, with the agent’s environment', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'set-up-'))
  t.directories.push(directory)
  const file = join(directory, 'file')
  const setUp = `[[ $FROM_AGENT == yes && -z $SEMAPHORE_AGENT_FILES ]] && pwd > ${file}`
  const compose = { host_setup_commands: [{ directive: setUp }] }
  const job = containerJob({ image: '127.0.0.1:1/nowhere:1' }, [], { compose })
  const { events } = await runJob(job, {
    environment: { FROM_AGENT: 'yes', SEMAPHORE_AGENT_FILES: '/a:/b' },
  })

  assert.match(await readFile(file, 'utf8'), /^\//)
  assert.is(blocksOf(events)[0]?.directive, 'Pulling docker images...')
})

test('a host setup command that fails ends the job with its output in a block', async () => {
  const compose = {
    host_setup_commands: [
      { directive: 'echo fine' },
      { directive: 'echo out; echo err >&2; exit 9' },
      { directive: 'echo never' },
    ],
  }
  const { events, result } = await runJob(containerJob({}, ['echo no'], { compose }))

  assert.is(result, 'failed')
  assert.equal(blocksOf(events), [
    { directive: 'echo out; echo err >&2; exit 9', output: 'out\nerr\n', exitCode: 9 },
  ])
})

test('a stop ends a host setup command and all it has started', async () => {
  const compose = { host_setup_commands: [{ directive: 'sleep 4321 & touch started; sleep 4322' }] }
  const agent = await startJob(containerJob({}, ['echo no'], { compose }))
  await waitFor(() => processesMatching('sleep 432').length === 2, 'the command runs')

  agent.signal('SIGTERM')
  const { code, result } = await agent.finished

  assert.is(code, 130)
  assert.is(result, 'stopped')
  await waitFor(() => processesMatching('sleep 432').length === 0, 'nothing of it is left')
})

test.run()

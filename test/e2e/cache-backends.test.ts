/** `cache` in a job whose variables name an S3 or an SFTP server, on the binary. */

import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { startJob } from '../helpers/agent.ts'
import { startConnectProxy, startTlsFront } from '../helpers/connect-proxy.ts'
import { processesMatching, waitFor } from '../helpers/host.ts'
import { describeJob, type InJobOptions, inJob, PLACES, type Place } from '../helpers/in-job.ts'
import { type S3Server, startS3Server } from '../helpers/s3-server.ts'
import { type SftpServer, startSftpServer } from '../helpers/sftp-server.ts'
import { FIRST_CERTIFICATE } from '../unit/http/certificates.ts'

type Backend = 's3' | 'sftp'

interface Context {
  s3: S3Server
  sftp: SftpServer
  home: string
  /** What a job needs to find the cache. */
  job: Readonly<Record<Backend, InJobOptions>>
}

const BACKENDS: readonly Backend[] = ['s3', 'sftp']

const KEY_PATH = '~/.ssh/cache_key'

const test = suite<Context>('cache on servers')

test.before(async (t) => {
  t.s3 = await startS3Server()
  t.sftp = await startSftpServer()
  const key = t.sftp.privateKey.toString()
  t.job = {
    s3: {
      variables: {
        CACHE_FAIL_ON_ERROR: 'true',
        SEMAPHORE_CACHE_BACKEND: 's3',
        SEMAPHORE_PROJECT_ID: 'project-1',
        SEMAPHORE_CACHE_S3_BUCKET: t.s3.bucket,
        SEMAPHORE_CACHE_S3_URL: t.s3.url,
        SEMAPHORE_CACHE_S3_KEY: t.s3.key,
        SEMAPHORE_CACHE_S3_SECRET: t.s3.secret,
      },
    },
    sftp: {
      variables: {
        CACHE_FAIL_ON_ERROR: 'true',
        SEMAPHORE_CACHE_BACKEND: 'sftp',
        SEMAPHORE_CACHE_URL: `127.0.0.1:${t.sftp.port}`,
        SEMAPHORE_CACHE_USERNAME: t.sftp.username,
        SEMAPHORE_CACHE_PRIVATE_KEY_PATH: KEY_PATH,
      },
      files: [{ path: KEY_PATH, content: key, mode: '0600' }],
    },
  }
})

test.before.each(async (t) => {
  t.home = await mkdtemp(join(tmpdir(), 'home-'))
})

test.after.each(async (t) => {
  await rm(t.home, { recursive: true, force: true })
})

test.after(async (t) => {
  await t.s3.close()
  await t.sftp.close()
})

/** Past the agent. */
async function keptNames(t: Context, backend: Backend): Promise<string[]> {
  if (backend === 'sftp') return readdirSync(t.sftp.directory)
  const { Contents = [] } = await t.s3.client.send(
    new ListObjectsV2Command({ Bucket: t.s3.bucket }),
  )
  return Contents.map(({ Key = '' }) => Key)
}

async function unfinishedUploads({ s3 }: Context) {
  const { Uploads = [] } = await s3.client.send(
    new ListMultipartUploadsCommand({ Bucket: s3.bucket }),
  )
  return Uploads
}

async function removeUnfinishedUploads(t: Context): Promise<void> {
  for (const { Key, UploadId } of await unfinishedUploads(t)) {
    await t.s3.client.send(new AbortMultipartUploadCommand({ Bucket: t.s3.bucket, Key, UploadId }))
  }
}

const EACH_COMMAND = [
  'cd "$(mktemp -d)"; cache is_not_empty; echo $?',
  'mkdir -p "my tree/empty"; echo one >"my tree/file"; ln -s file "my tree/link"; chmod 750 "my tree"',
  'cache store some/key "my tree"',
  'cache store some-key "my tree"; cache has_key some-key; cache is_not_empty; echo $?',
  'cache list; cache usage',
  'rm -r "my tree"; cache restore nope,so.*key',
  'cat "my tree/link"; stat -c %a "my tree"; ls -1 "my tree"',
  'cache delete some-key; cache has_key some-key; echo $?',
  'cache store a "my tree" >x; cache store b "my tree" >x; cache clear; cache list',
]

async function checkEachCommand(t: Context, backend: Backend, place: Place): Promise<void> {
  const { outputs, job } = await inJob(place, EACH_COMMAND, { ...t.job[backend], home: t.home })

  assert.is(job.result, 'passed', outputs.join(''))
  assert.is(outputs[0], '1\n')
  assert.match(
    outputs[2] ?? '',
    /^Key 'some\/key' is normalized to 'some-key'\.\nUploading 'my tree' with cache key 'some-key'\.\.\.\nUpload complete\. /,
  )
  assert.is(
    outputs[3],
    "Key 'some-key' already exists.\nKey 'some-key' exists in the cache store.\n0\n",
  )
  assert.match(outputs[4] ?? '', /\nsome-key .*\nFREE SPACE: .*\nUSED SPACE: \d+/)
  assert.match(outputs[5] ?? '', /^MISS: 'nope'\.\nHIT: 'so\.\*key', using key 'some-key'\.\n/)
  assert.is(outputs[6], 'one\n750\nempty\nfile\nlink\n')
  assert.match(outputs[7] ?? '', /^Key 'some-key' is deleted\.\n.*\n1\n$/)
  assert.is(outputs[8], 'Deleted all caches.\nCache is empty.\n')
  assert.equal(await keptNames(t, backend), [])
}

for (const backend of BACKENDS) {
  for (const place of PLACES) {
    test(`${backend}, ${place}: every command of cache works as with a directory`, async (t) => {
      await checkEachCommand(t, backend, place)
    })
  }

  const [small, large] = backend === 's3' ? [100, 300] : [40, 160]
  test(`${backend}: ${large} MB go through the agent in the memory that ${small} MB take`, async (t) => {
    const store = (megabytes: number) =>
      `cd; head -c ${megabytes}M /dev/urandom >big; checksum big >sum; cache delete big; cache store big big; rm big`
    const restore = 'cd; cache restore big; [[ $(checksum big) == $(<sum) ]] && echo the same'
    const peaks: number[] = []
    for (const directive of [store(small), restore, store(large), restore]) {
      const { output, peakBytes } = await watchMemory(t, backend, directive)
      assert.match(output, directive === restore ? /the same/ : /Upload complete/)
      peaks.push(peakBytes)
    }

    const [storeSmall = 0, restoreSmall = 0, storeLarge = 0, restoreLarge = 0] = peaks
    const mostBytes = ((large - small) * 1_000_000) / 2
    assert.ok(Math.min(...peaks) > 0)
    assert.ok(storeLarge - storeSmall < mostBytes, `${peaks}`)
    assert.ok(restoreLarge - restoreSmall < mostBytes, `${peaks}`)
  })

  test(`${backend}: an agent that is killed while it stores leaves no key`, async (t) => {
    await inJob('host', ['cache clear'], { ...t.job[backend], home: t.home })
    const agent = await storeForLong(t, backend)
    agent.signal('SIGKILL')
    await agent.exited

    const { outputs } = await inJob('host', ['cache list'], { ...t.job[backend], home: t.home })
    assert.equal(outputs, ['Cache is empty.\n'])
    for (const name of await keptNames(t, backend)) {
      assert.match(name, /^\.[0-9a-f]{24}\.part$/) // which a later store removes
      await rm(join(t.sftp.directory, name))
    }
    if (backend === 's3') await removeUnfinishedUploads(t)
  })

  test(`${backend}: a job that is stopped while it stores leaves nothing at all`, async (t) => {
    const agent = await storeForLong(t, backend)
    agent.signal('SIGTERM')
    const { code } = await agent.exited

    assert.is(code, 130)
    assert.equal(await keptNames(t, backend), [])
    if (backend === 's3') assert.equal(await unfinishedUploads(t), [])
  })

  test(`${backend}: its secrets are in no log, no process and no file that stays`, async (t) => {
    const secrets = [t.s3.secret, t.sftp.privateKey.toString().split('\n')[2] ?? '']
    const watch = 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " " >"$HOME/ps" &'
    const directives = [
      `cd "$(mktemp -d)"; ${watch} echo x >f; cache store secret f; wait`,
      'cache restore secret; cache clear; SEMAPHORE_CACHE_S3_SECRET=wrong CACHE_FAIL_ON_ERROR= cache list',
      'SEMAPHORE_CACHE_PRIVATE_KEY_PATH=/dev/null SEMAPHORE_CACHE_S3_BUCKET=none cache list; rm -rf ~/.ssh',
    ]
    const { job } = await inJob('host', directives, { ...t.job[backend], home: t.home })

    const processes = await readFile(join(t.home, 'ps'), 'utf8')
    assert.match(processes, /agent run --format json/)
    for (const secret of secrets) {
      assert.ok(secret.length > 20)
      assert.not(`${job.stdout}${job.stderr}${processes}`.includes(secret))
      assert.equal(filesWith(secret, t.home), [])
      assert.equal(processesMatching(secret), [])
    }
  })
}

test('s3: what is wrong is said in the job, which goes on unless it wants to fail', async (t) => {
  const directives = [
    'unset CACHE_FAIL_ON_ERROR; SEMAPHORE_CACHE_S3_SECRET=wrong cache list; echo $?',
    'SEMAPHORE_CACHE_S3_BUCKET=no-such-bucket cache restore a,b; echo $?',
    'SEMAPHORE_PROJECT_ID= cache list; SEMAPHORE_CACHE_BACKEND=gopher cache list',
    'SEMAPHORE_CACHE_S3_KEY= SEMAPHORE_CACHE_S3_SECRET= cache list',
    'CACHE_FAIL_ON_ERROR=true SEMAPHORE_CACHE_S3_URL=http://127.0.0.1:1 cache list',
  ]
  const { outputs, blocks } = await inJob('host', directives, {
    ...t.job.s3,
    home: t.home,
    environment: { AWS_EC2_METADATA_DISABLED: 'true' },
  })

  assert.match(
    outputs[0] ?? '',
    /^error: .*SignatureDoesNotMatch.*SEMAPHORE_CACHE_S3_SECRET.*\n0\n$/,
  )
  assert.match(outputs[1] ?? '', /^error: .*'no-such-bucket': NoSuchBucket.*\n0\n$/)
  assert.match(outputs[2] ?? '', /^error: SEMAPHORE_PROJECT_ID is not set.*\nerror: .*'gopher'/)
  assert.match(outputs[3] ?? '', /^error: No credentials were found for the S3 bucket 'ci-cache'/)
  assert.match(outputs[4] ?? '', /^error: S3 at http:\/\/127\.0\.0\.1:1 cannot be reached: /)
  assert.is(blocks[4]?.exitCode, 1)
})

test('s3: over TLS whom the host trusts is trusted, and HTTPS_PROXY is the way', async (t) => {
  const proxy = await startConnectProxy()
  const front = await startTlsFront(FIRST_CERTIFICATE, t.s3.port)
  const authorities = join(t.home, 'ca.pem')
  await writeFile(authorities, FIRST_CERTIFICATE.cert)
  const variables = {
    ...t.job.s3.variables,
    SEMAPHORE_CACHE_S3_URL: `https://127.0.0.1:${front.port}`,
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
  }
  const directives = [
    'cd "$(mktemp -d)"; head -c 20M /dev/urandom >big; checksum big >sum; cache store tls big',
    'rm big; cache restore tls; [[ $(checksum big) == $(<sum) ]] && echo the same; cache clear',
  ]
  const options = { home: t.home, variables }

  const trusting = await inJob('host', directives, {
    ...options,
    environment: { SSL_CERT_FILE: authorities },
  })
  assert.match(trusting.outputs[1] ?? '', /\nthe same\n/, trusting.job.stdout)
  assert.equal([...new Set(proxy.tunnels)], [`127.0.0.1:${front.port}`])

  const { outputs } = await inJob('host', ['cache list || echo $?'], options)
  assert.match(outputs[0] ?? '', /^error: S3 at https:.* cannot be reached: .*certificate.*\n1\n$/)
  await front.close()
  await proxy.close()
})

test('sftp: what is wrong is said in the job', async (t) => {
  const directives = [
    'SEMAPHORE_CACHE_PRIVATE_KEY_PATH=/no/such/key cache list || echo $?',
    'SEMAPHORE_CACHE_USERNAME=nobody-here cache list || echo $?',
    `mkdir -p ~/.ssh; echo "[127.0.0.1]:${t.sftp.port} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==" >~/.ssh/known_hosts`,
    'cache list || echo $?; rm ~/.ssh/known_hosts',
    'cache list',
  ]
  const { outputs } = await inJob('host', directives, { ...t.job.sftp, home: t.home })

  assert.match(outputs[0] ?? '', /^error: .*\/no\/such\/key.*\n1\n$/)
  assert.match(outputs[1] ?? '', /^error: .* rejects user 'nobody-here' with this key.*\n1\n$/)
  assert.match(outputs[3] ?? '', /^error: .*known_hosts.*\n1\n$/)
  assert.is(outputs[4], 'Cache is empty.\n')
})

/** Runs a directive; looks at the agent's memory meanwhile. */
async function watchMemory(t: Context, backend: Backend, directive: string) {
  const job = await startJob(describeJob('host', [directive], t.job[backend]), { home: t.home })
  let peakBytes = 0
  const ended = new AbortController()
  const finished = job.finished.finally(() => ended.abort())
  const look = () => {
    peakBytes = Math.max(peakBytes, peakMemory(job.pid))
    return ended.signal.aborted
  }
  await waitFor(look, 'the job ends', 120_000)
  return { output: (await finished).stdout, peakBytes }
}

/** A job that has begun to store 120 MB. */
async function storeForLong(t: Context, backend: Backend) {
  const directive =
    'cd "$HOME"; head -c 100M /dev/urandom >part; cat part{,,,,}{,,,} >big; cache store big big'
  const agent = await startJob(
    describeJob(
      'host',
      [directive.replaceAll('part{,,,,}{,,,}', 'part '.repeat(20))],
      t.job[backend],
    ),
    { home: t.home },
  )
  const isUnderWay = async () =>
    backend === 's3'
      ? (await unfinishedUploads(t)).length > 0
      : (await keptNames(t, backend)).some((name) => name.endsWith('.part'))
  await waitFor(isUnderWay, 'the store has begun')
  return agent
}

function filesWith(text: string, directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path, 'latin1').includes(text))
}

/** Of a process so far; 0 when it has ended. */
function peakMemory(pid: number): number {
  try {
    const [, kilobytes = '0'] =
      /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes) * 1_024
  } catch {
    return 0
  }
}

test.run()

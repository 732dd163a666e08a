/** A job's files in its main container: many, large, and what stands there already. */

import { createHash, randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import * as assert from 'uvu/assert'
import { encode, runJob, startJob } from '../helpers/agent.ts'
import { containerJob, FIRST } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { jobDirectory } from '../helpers/ssh.ts'
import { tracesInFiles, tracesInProcesses } from '../helpers/traces.ts'

const test = engineSuite('container files')

const md5 = (content: string | Buffer) => createHash('md5').update(content).digest('hex')

test('5,000 files in 500 directories arrive, each the job user’s', async () => {
  const files = Array.from({ length: 5_000 }, (_, i) => ({
    path: `/srv/data/d${i % 500}/f${i}`,
    content: encode(`content of ${i}\n`),
    mode: i % 2 === 0 ? '0600' : '0755',
  }))
  const all = files.map((_, i) => `content of ${i}\n`).sort()
  const { events, result } = await runJob(
    containerJob(
      { user: 'www-data' },
      [
        'cat /srv/data/d*/f* | LC_ALL=C sort | md5sum',
        "find /srv/data -mindepth 1 -printf '%y %u %m\\n' | sort | uniq -c | tr -s ' '",
        "stat -c '%U %a' /srv /srv/data",
      ],
      { files },
    ),
  )

  const blocks = blocksOf(events)
  assert.is(result, 'passed')
  assert.is(blocks[3]?.output.split('\n').length, 5_001)
  assert.is(blocks[FIRST]?.output, `${md5(all.join(''))}  -\n`)
  assert.is(
    blocks[FIRST + 1]?.output,
    ' 500 d www-data 755\n 2500 f www-data 600\n 2500 f www-data 755\n',
  )
  assert.is(blocks[FIRST + 2]?.output, 'root 755\nwww-data 755\n')
})

test('a shell in POSIX mode is there when they have arrived', async () => {
  const files = Array.from({ length: 2_000 }, (_, i) => ({
    path: `/srv/data/d${i % 200}/f${i}`,
    content: encode('x'),
  }))
  const env_vars = [{ name: 'POSIXLY_CORRECT', value: encode('1') }]
  const { events, result } = await runJob(
    containerJob({ env_vars }, ['Y=kept', 'ls /srv/data/d*/f* | wc -l; echo $Y'], { files }),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[FIRST + 1]?.output, '2000\nkept\n')
})

test('a file of 10 MB arrives whole', async () => {
  const content = randomBytes(10 * 1024 ** 2)
  const { events, result } = await runJob(
    containerJob({}, ['md5sum < ~/large'], {
      files: [{ path: 'large', content: content.toString('base64') }],
    }),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[FIRST]?.output, `${md5(content)}  -\n`)
})

test('what a job is given is nowhere on the host while it runs', async () => {
  const secret = randomBytes(12).toString('hex')
  const id = createJobId()
  const job = await startJob(
    containerJob({}, ['[[ $(cat ~/file) == "$A" ]] && echo now; sleep 1000'], {
      job_id: id,
      env_vars: [{ name: 'A', value: encode(secret) }],
      files: [{ path: 'file', content: encode(secret), mode: '0600' }],
    }),
    { environment: { TMPDIR: tmpdir() } },
  )
  await waitFor(() => job.stdout.includes('now\\n'), 'it has arrived in the container')

  const places = [tmpdir(), '/dev/shm', (await jobDirectory(id)) ?? 'no directory']
  const found = [
    ...(await Promise.all(places.map((place) => tracesInFiles(place, [secret])))).flat(),
    ...tracesInProcesses([secret]),
  ]
  job.signal('SIGTERM')
  await job.finished

  assert.equal(found, [])
})

for (const count of [3, 30]) {
  test(`directories and links to them stay as they are, with ${count} files`, async () => {
    const made = Array.from({ length: count }, (_, i) => ({
      path: `/tmp/made-${i}/file`,
      content: encode('x'),
    }))
    const there = ['/root/.file', '/tmp/file', '/bin/file', '/var/local/file'].map((path) => ({
      path,
      content: encode('x'),
    }))
    const { events, result } = await runJob(
      containerJob(
        { user: 'nobody' },
        [
          "stat -c '%n %U:%G %a %F' /root /tmp /bin /var/local",
          "ls -d /tmp/made-*/file | wc -l; stat -c '%n %U' /usr/bin/file",
        ],
        { files: [...made, ...there] },
      ),
    )

    const blocks = blocksOf(events)
    assert.is(result, 'passed')
    assert.is(
      blocks[FIRST]?.output,
      [
        '/root root:root 700 directory',
        '/tmp root:root 1777 directory',
        '/bin root:root 777 symbolic link',
        '/var/local root:staff 2775 directory',
        '',
      ].join('\n'),
    )
    assert.match(blocks[FIRST + 1]?.output ?? '', new RegExp(`^${count}\n`))
    assert.match(blocks[FIRST + 1]?.output ?? '', '/usr/bin/file nobody\n')
  })
}

test('a file that is to stand below another file fails the block with the reason', async () => {
  const { events, result } = await runJob(
    containerJob({}, ['echo no'], { files: [{ path: '/etc/passwd/x', content: encode('x') }] }),
  )

  const block = blocksOf(events)[3]
  assert.is(result, 'failed')
  assert.is(block?.directive, 'Injecting Files')
  assert.is(block?.exitCode, 1)
  assert.match(
    block?.output ?? '',
    '\nFailed to write /etc/passwd/x: /etc/passwd is not a directory\n',
  )
})

test('a file the engine would put where no job sees it fails the block', async () => {
  const { events, result } = await runJob(
    containerJob({}, ['echo no'], { files: [{ path: '/dev/shm/x', content: encode('x') }] }),
  )

  const block = blocksOf(events)[3]
  assert.is(result, 'failed')
  assert.is(block?.exitCode, 1)
  assert.match(
    block?.output ?? '',
    'Failed to write /dev/shm/x: the engine cannot put files into /dev\n',
  )
})

test.run()

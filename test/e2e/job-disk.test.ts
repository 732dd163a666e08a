/** The places of a job's own files are full, read-only or cleared while it runs. */

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../lib/events/event.ts'
import { blocksOf } from '../helpers/events.ts'

const test = suite('job disk')

/** Where they are for root. */
const OWN = '/var/lib/agent'
const OTHERS = ['/dev/shm', '/var/tmp', '/tmp', '/root', '/run']

const FILL = `dd if=/dev/zero of=${OWN}/full bs=4k 2>/dev/null; true`
const READ_ONLY = `mount -o remount,bind,ro ${OWN}`
const CLEAR = `rm -rf ${OWN}/*`

interface Finished {
  readonly blocks: ReturnType<typeof blocksOf>
  readonly result: string | undefined
  /** Of the agent's own making, in all places. */
  readonly left: string
}

/** In a view of the file systems that ends with it, with one small disk for all the places. */
function runOnSmallDisk(
  directives: readonly string[],
  places: 'all' | 'own',
  before = ':',
): Finished {
  const others = OTHERS.map((path, i) => {
    const source = places === 'all' ? `${OWN}/place-${i}` : `/mnt/place-${i}`
    return `mkdir -p -m 1777 ${source}; mount --bind ${source} ${path}`
  })
  const script = `set -e
    mount -t tmpfs -o size=8m none /mnt; mkdir -p ${OWN}; mount -t tmpfs -o size=1m,mode=700 none ${OWN}
    ${others.join('\n')}
    ${before}
    "$@" || true
    echo; find ${OWN} ${OTHERS.join(' ')} -name 'agent-job*' -o -path '*/jobs/*'`
  const job = {
    commands: directives.map((directive) => ({ directive })),
    epilogue_always_commands: [{ directive: 'echo "always $SEMAPHORE_JOB_RESULT"' }],
    epilogue_on_pass_commands: [{ directive: 'echo pass; echo abc >/run/x && checksum /run/x' }],
    epilogue_on_fail_commands: [{ directive: 'echo fail' }],
  }
  const agent = [resolve('dist/agent'), 'run', '--format', 'json', '-']
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', 'bash', '-c', script, '-', ...agent],
    {
      input: JSON.stringify(job),
      env: { PATH: process.env['PATH'], HOME: '/root' },
      encoding: 'utf8',
      timeout: 60_000,
    },
  )
  const [log = '', left = ''] = stdout.split('\n\n')
  const events = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JobEvent)
  const last = events.at(-1)
  assert.is(last?.event, 'job_finished', stderr)
  const result = last?.event === 'job_finished' ? last.result : undefined
  return { blocks: blocksOf(events), result, left }
}

for (const [what, directives] of [
  ['full', [FILL]],
  ['read-only', [READ_ONLY]],
  ['cleared', [CLEAR]],
  ['cleared, and then full', [`${CLEAR}; ${FILL}`]],
  ['cleared, and then read-only', [`${CLEAR}; ${READ_ONLY}`]],
] as const) {
  test(`when the disk of its own files is ${what}, a job goes on by another place`, () => {
    const { blocks, result, left } = runOnSmallDisk([...directives, 'echo on'], 'own')

    const outputs = blocks.map(({ output }) => output)
    assert.is(result, 'passed')
    assert.ok(outputs.includes('on\n'))
    assert.is(outputs.at(-2), 'always passed\n')
    assert.match(outputs.at(-1) ?? '', /^pass\n/)
    if (what === 'cleared') assert.match(outputs.at(-1) ?? '', '0bee89b07a248e27c83fc3d5951213c1')
    assert.not.match(left, 'agent-job')
  })
}

test('a disk that is nearly full before the job is not where its files go', () => {
  const almost = `head -c 960k /dev/zero >${OWN}/full`
  const { blocks, result } = runOnSmallDisk(['echo on; type -t checkout'], 'own', almost)

  assert.is(result, 'passed')
  assert.is(blocks[2]?.output, 'on\nfunction\n')
})

test('a shell that died on a full disk has one after it, for the epilogues', () => {
  const { blocks, result } = runOnSmallDisk([`${FILL}; exit 3`], 'own')

  assert.is(result, 'failed')
  assert.is(blocks[2]?.exitCode, 3)
  assert.match(blocks.at(-2)?.output ?? '', /^always/)
  assert.is(blocks.at(-1)?.output, 'fail\n')
})

for (const [what, spoil] of [
  ['full', FILL],
  ['read-only', [OWN, ...OTHERS].map((path) => `mount -o remount,bind,ro ${path}`).join(' && ')],
] as const) {
  test(`when every place is ${what}, what could not be run fails the job, with the remedy`, () => {
    const { blocks, result } = runOnSmallDisk([spoil], 'all')

    const [, always, last] = blocks.slice(-3)
    assert.is(result, 'failed')
    assert.is(blocks[2]?.exitCode, 0)
    for (const block of [always, last]) {
      assert.is(block?.exitCode, 1)
      assert.match(block?.output ?? '', 'The command could not be handed to the shell')
      assert.match(block?.output ?? '', OWN)
      assert.match(block?.output ?? '', 'TMPDIR')
    }
    assert.match(always?.directive ?? '', 'always')
  })
}

test.run()

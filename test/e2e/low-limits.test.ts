/** Limits of the kernel under which a program of this kind cannot live, and those under which it can. */

import { chown, mkdtemp, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent, runJob } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'

const test = suite('low limits')

const JOB = { commands: [{ directive: 'ulimit -n 12; echo hi' }, { directive: 'echo again' }] }

/** Nobody else is it: the kernel counts a user's processes on the whole machine. */
const USER = 54_322

const withLimit = (limit: string) => ['/usr/bin/prlimit', limit]

test('with too few descriptors nothing is begun, and the limit is named', async () => {
  const prefix = withLimit('--nofile=40:40')
  const commands = [
    ['run', '-'],
    ['serve', '--port', '0', '--auth-token-secret', 'x'],
  ]

  for (const command of commands) {
    const { code, stdout, stderr } = await runAgent(command, { prefix, input: JSON.stringify(JOB) })

    assert.is(code, 2, stderr)
    assert.is(stdout, '')
    assert.match(stderr, 'may have only 40 files open at a time, and needs 64 [ERR_CONFIG_INVALID]')
    assert.match(stderr, 'ulimit -n')
  }
})

test('where more are allowed to those who ask, the agent does; what a job sets is its own', async () => {
  const { result, stderr } = await runJob(JOB, { prefix: withLimit('--nofile=20:4096') })

  assert.is(result, 'passed', stderr)
})

test('without room for a shell the job fails and says so; the agent does not', async () => {
  const home = await mkdtemp('/tmp/limits-') // not in the runner's, which is closed to others
  await chown(home, USER, USER)
  try {
    const words = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups']
    const prefix = [...words, ...withLimit('--nproc=17:17')]
    const { code, events, stderr } = await runJob(JOB, { home, cwd: home, prefix })

    assert.is(code, 1, stderr)
    assert.match(
      blocksOf(events).at(-1)?.output ?? '',
      /user may have 17 processes and threads, and has \d+: there is no room for a shell \[ERR_SHELL_FAILED\]/,
    )
  } finally {
    await rm(home, { recursive: true })
    for (const name of await readdir('/tmp')) {
      // Of a user without a home, for its next agents.
      if (name.startsWith(`agent-jobs-${USER}-`)) await rm(join('/tmp', name), { recursive: true })
    }
  }
})

test.run()

/** How `cache`, `checkout`, `checksum` and `retry` get into a job, and what they leave alone. */

import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { runJob, startJob } from '../helpers/agent.ts'
import { cacheSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { describeJob, inJob, PLACES } from '../helpers/in-job.ts'
import { openPrivateState } from '../helpers/private-state.ts'

const test = cacheSuite('commands inside a job')

const COMMANDS = 'checkout cache checksum retry'

/** Of a script of its own, which knows nothing of the shell that starts it. */
const IN_A_SCRIPT = `printf '%s\\n' '#!/bin/bash' 'type -t ${COMMANDS}' 'cache is_not_empty; echo $?' \\
    'checkout | head -n 1' 'printf x >x; checksum x; retry -t 1 echo hi' >asks-all
chmod +x asks-all
PATH=$PATH:$PWD asks-all`

/** Whatever a script or a directive may have done to its shell. */
const IN_AN_ODD_SHELL = `bash -euo pipefail -c '
function read { false; }; function printf { false; }; function echo { false; }; export -f read printf echo
shopt -s expand_aliases; alias builtin=false exec=false; export BASH_ENV=/nope LC_ALL=C SHELLOPTS
export POSIXLY_CORRECT=1; IFS=/; mkdir "a b"; cd "a b"; command echo one >"c d"; cache store "some key" "c d" | cat >log; rm "c d"
cache restore "some key" >>log 2>&1; cat "c d"
if cache has_key nope >>log; then command echo there; else command echo absent $?; fi'`

const ASK_AT_ONCE = `bash -c '
for i in {1..40}; do mkdir d$i; echo $i >d$i/f; cache store k$i d$i >/dev/null & done; wait; rm -rf d*
for i in {1..40}; do cache restore k$i >out$i & done; wait
for i in {1..40}; do [[ $(<d$i/f) == $i && $(<out$i) == *k$i[^0-9]* ]] || echo lost $i; done'`

const IN_A_FRESH_SHELL = `type -t ${COMMANDS}; bash -c 'type -t ${COMMANDS}'; cache has_key k; echo "$PATH"`

const failed = (tries: number, of: number, status: number, end: string) =>
  `[${tries}/${of}] Execution Failed with exit status ${status}. ${end}.\n`

const RETRY_USAGE = 'Usage: retry [-t TIMES] [-s SECONDS] COMMAND...\n2\n'

/** Directives and the whole of their output. */
const SMALL: readonly (readonly [directive: string, output: string])[] = [
  [
    'retry false; echo $?',
    `${failed(1, 3, 1, 'Retrying')}${failed(2, 3, 1, 'Retrying')}${failed(3, 3, 1, 'No more retries')}1\n`,
  ],
  [
    "retry -t 2 -s 0.1 bash -c 'exit 7'; echo $?",
    `${failed(1, 2, 7, 'Retrying')}${failed(2, 2, 7, 'No more retries')}7\n`,
  ],
  [
    "retry 'echo x >>tries; [[ $(wc -l <tries) == 2 ]]'; echo $?",
    `${failed(1, 3, 1, 'Retrying')}0\n`,
  ],
  ["retry -- printf '[%s]' 'a b' '' '*'; echo", '[a b][][*]\n'],
  [
    "printf '#!/bin/sh\\necho ran\\n' >'with space'; chmod +x 'with space'; retry './with space'",
    'ran\n',
  ],
  [
    'f() { echo "f $1"; }; export -f f; retry f 1; retry nope 2>/dev/null | tail -n 1',
    `f 1\n${failed(3, 3, 127, 'No more retries')}`,
  ],
  [
    'retry -t2 -s0.01 false; retry --times=1 --sleep=0 false || :',
    `${failed(1, 2, 1, 'Retrying')}${failed(2, 2, 1, 'No more retries')}${failed(1, 1, 1, 'No more retries')}`,
  ],
  [
    `bash -euc 'export SHELLOPTS; retry -t 2 "echo a; false; echo b" || echo $?'`,
    `a\n${failed(1, 2, 1, 'Retrying')}a\n${failed(2, 2, 1, 'No more retries')}1\n`,
  ],
  ['retry 2>&1; echo $?', RETRY_USAGE],
  ['retry -x true 2>&1; echo $?', RETRY_USAGE],
  ['retry -t 0 true 2>&1; echo $?', RETRY_USAGE],
  ['retry -s x true 2>&1; echo $?', RETRY_USAGE],
  ['retry -t 2>&1; echo $?', RETRY_USAGE],
  [
    "printf abc >'-n x'; checksum '-n x'; ln -s -- '-n x' l; checksum l",
    `${'900150983cd24fb0d6963f7d28e17f72\n'.repeat(2)}`,
  ],
  ['checksum nope 2>&1; echo $?', 'checksum: nope: no such file, or not readable\n1\n'],
  [
    'checksum . 2>&1 | head -n 1; checksum 2>&1; echo $?',
    'checksum: .: no such file, or not readable\nUsage: checksum FILE\n2\n',
  ],
]

for (const place of PLACES) {
  test(`${place}: directives and the scripts they start find all four, whatever their shell is like`, async (t) => {
    const directives = [
      `cd "$(mktemp -d)"; type -t ${COMMANDS}`,
      IN_A_SCRIPT,
      IN_AN_ODD_SHELL,
      'compgen -v | grep -i "agent\\|toolbox" || echo nothing',
    ]
    const { outputs, job } = await inJob(place, directives, t)

    assert.is(job.result, 'passed')
    assert.is(outputs[0], 'function\n'.repeat(4))
    assert.is(
      outputs[1],
      'function\nfile\nfile\nfile\n1\n[CHECKOUT ERROR] Some of these variables are unset:\n9dd4e461268c8034f5c8564e155c67a6\nhi\n',
    )
    assert.is(outputs[2], 'one\nabsent 1\n')
    assert.is(outputs[3], place === 'host' ? 'AGENT_JOB_COOKIE\n' : 'nothing\n')
  })

  test(`${place}: retry and checksum`, async (t) => {
    const { outputs } = await inJob(place, ['cd "$(mktemp -d)"', ...SMALL.map(([it]) => it)], t)

    for (const [index, [directive, expected]] of SMALL.entries()) {
      assert.is(outputs[index + 1], expected, directive)
    }
  })

  test(`${place}: many that ask at once get each their own answer`, async (t) => {
    const { outputs } = await inJob(place, ['cd "$(mktemp -d)"', ASK_AT_ONCE], t)

    assert.equal(outputs, ['', ''])
  })

  test(`${place}: a PATH of the job's own hides nothing, not even from the shell after the job's`, async (t) => {
    const PATH = '/usr/bin:/bin'
    const directives = ['cache store k /etc/hostname', 'PATH=/; cache has_key k; exit 3']
    const finished = await runJob(
      {
        ...describeJob(place, directives, { variables: { PATH } }),
        epilogue_always_commands: [{ directive: IN_A_FRESH_SHELL }],
      },
      { args: ['--cache-dir', t.cacheDirectory] },
    )

    const outputs = new Map(
      blocksOf(finished.events).map(({ directive, output }) => [directive, output]),
    )
    assert.is(outputs.get(directives[1] ?? ''), "Key 'k' exists in the cache store.\n")
    assert.match(
      outputs.get(IN_A_FRESH_SHELL) ?? '',
      /^(function\n){5}(file\n){3}Key 'k' exists in the cache store.\n\S+\/toolbox\/bin:\/usr\/bin:\/bin\n$/,
    )
  })
}

test('host: a job that clears /tmp goes on, with its variables, its commands and its files to remove', async (t) => {
  const [home, temporary] = [t.cacheDirectory, await mkdtemp(join(tmpdir(), 'tmp-'))]
  const directives = [
    'rm -rf "$TMPDIR"/*; echo cleared',
    'retry -t 1 echo hi; bash -c "cache is_not_empty" || echo empty; checkout | head -n 1; exit 3',
  ]
  const epilogue = 'echo "$NAME"; cache is_not_empty || echo empty; cat ~/injected'
  const files = [{ path: '~/injected', content: 'text', mode: '0600' }]
  const { events } = await runJob(
    {
      ...describeJob('host', directives, { variables: { NAME: 'value' }, files }),
      epilogue_always_commands: [{ directive: epilogue }],
    },
    { home, args: ['--cache-dir', join(home, 'cache')], environment: { TMPDIR: temporary } },
  )
  const left = [await readdir(temporary), existsSync(join(home, 'injected'))]
  await rm(temporary, { recursive: true })

  const outputs = new Map(blocksOf(events).map(({ directive, output }) => [directive, output]))
  assert.is(
    outputs.get(directives[1] ?? ''),
    'hi\nempty\n[CHECKOUT ERROR] Some of these variables are unset:\n',
  )
  assert.is(outputs.get(epilogue), 'value\nempty\ntext')
  assert.equal(left, [[], false])
})

test('host: nobody but the job’s user can ask, or read an answer', async (t) => {
  const directives = [
    't=$(dirname $(dirname $(type -P cache))); stat -c %a "$(dirname $t)" "$t/requests"',
  ]
  const { outputs } = await inJob('host', directives, t)

  assert.is(outputs[0], '700\n600\n')
})

test('host: who cannot ask because no more files may be open is told so, once', async (t) => {
  const ask =
    '(ulimit -n 10; cache list; CACHE_FAIL_ON_ERROR=true cache list || echo $?; PATH= checksum /etc/hostname || echo $?) 2>/dev/null'
  const { outputs } = await inJob('host', [ask], t)

  assert.is(outputs[0], `${'error: the agent cannot be asked from here\n'.repeat(2)}1\n1\n`)
})

test('an image with nothing but bash has all of them', async (t) => {
  const directives = [
    'cd /tmp; echo one >f; printf abc >sum',
    'cache store k f >/dev/null; echo two >f; cache restore k >/dev/null; echo "$(<f)"',
    'checksum sum; retry -t 2 -s 0.1 false; echo $?; checksum /proc/version 2>/dev/null || echo "no sum $?"',
    'while read -r _ _ _ _ place _; do [[ $place != *agent* ]] || echo "$place"; done </proc/self/mountinfo',
    'checkout; SEMAPHORE_GIT_URL=x SEMAPHORE_GIT_DIR=x SEMAPHORE_GIT_BRANCH=x SEMAPHORE_GIT_SHA=x checkout; echo $?',
  ]
  const { outputs } = await inJob('container', directives, { ...t, image: 'agent-test/bare' })

  assert.is(outputs[1], 'one\n')
  assert.is(
    outputs[2],
    `900150983cd24fb0d6963f7d28e17f72\n${failed(1, 2, 1, 'Retrying')}${failed(2, 2, 1, 'No more retries')}1\nno sum 1\n`,
  )
  assert.is(outputs[3], '') // nothing of the agent's is mounted
  assert.match(outputs[4] ?? '', /\n\[CHECKOUT ERROR\] There is no git on the PATH.*\n1\n$/)
})

test('a job that kills who passes its questions on is told so, and is answered the next time', async (t) => {
  const directives = [
    'cd /tmp; truncate -s 100G huge; exec 3< <(cache store k huge; echo "status $?"); read -r line <&3; echo "$line"',
    'for p in /proc/[0-9]*; do [[ $(tr "\\0" " " <$p/cmdline) != *umask* ]] || kill -9 $(basename $p); done 2>/dev/null',
    'cat <&3; cache list',
  ]
  const { outputs } = await inJob('container', directives, t)

  assert.is(outputs[0], "Uploading 'huge' with cache key 'k'...\n")
  assert.match(
    outputs[2] ?? '',
    /^error: the agent lost its connection to the job.*\nstatus 0\nCache is empty\.\n$/,
  )
})

test('host: who waits for an agent that was killed is told so, and the next does not wait for ever', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'home-'))
  const state = await openPrivateState()
  // Without the job's mark nobody ends them: the agent is gone, and its successors do not know them.
  const directive = `cd; truncate -s 100G huge
ask() { "$@" >out-$n 2>&1; echo "status $?" >>out-$n; }
export -f ask; export CACHE_FAIL_ON_ERROR=true
for n in 1 2 3; do n=$n env -u AGENT_JOB_COOKIE setsid bash -c 'ask cache store k$n huge' & done
until [[ $(cat out-[123]) == *Upl*Upl*Upl* ]]; do sleep 0.05; done; echo asked >asked; sleep 1000`
  const job = await startJob(describeJob('host', [directive]), {
    home,
    prefix: state.prefix,
    args: ['--cache-dir', t.cacheDirectory],
  })
  const read = async (name: string) => await readFile(join(home, name), 'utf8').catch(() => '')
  await waitFor(async () => (await read('asked')) !== '', 'the agent has heard them')
  job.signal('SIGKILL')
  await job.exited

  for (const n of [1, 2, 3]) {
    await waitFor(async () => (await read(`out-${n}`)).includes('status'), 'it gives up', 90_000)
    assert.match(await read(`out-${n}`), /\nerror: the agent does not answer\nstatus 1\n$/)
  }
  await state.close()
  await rm(home, { recursive: true, force: true })
})

test('container: who waits for somebody who says nothing any more is told so', async (t) => {
  const relays =
    'relays() { for p in /proc/[0-9]*; do [[ $(tr "\\0" " " <$p/cmdline) != *umask* ]] || kill $1 $(basename $p); done 2>/dev/null; }'
  const directives = [
    `${relays}; cd /tmp; truncate -s 100G huge; exec 3< <(CACHE_FAIL_ON_ERROR=true cache store k huge; echo "status $?"); read -r line <&3; echo "$line"`,
    'relays -STOP; cat <&3; relays -CONT',
    'cache list',
  ]
  const { outputs } = await inJob('container', directives, t)

  assert.is(outputs[1], 'error: the agent does not answer\nstatus 1\n')
})

test('a user without a home, in an old bash, has all of them', async (t) => {
  const directives = [
    'cd /tmp; mkdir d; echo one >d/f; cache store k d >/dev/null; rm -r d; cache restore k >/dev/null; cat d/f',
    `su nobody -s /bin/bash -c 'cache has_key k; type -t ${COMMANDS}' 2>&1; type -t ${COMMANDS}`,
    'cache list | wc -l',
  ]
  const job = {
    ...t,
    image: 'agent-test/old-bash',
    user: '4321:4321',
    variables: { HOME: '/nope' },
  }
  const { outputs } = await inJob('container', directives, job)

  assert.is(outputs[0], 'one\n')
  assert.match(outputs[1] ?? '', /(function\n){4}$/)
  assert.is(outputs[2], '2\n')
})

test.run()

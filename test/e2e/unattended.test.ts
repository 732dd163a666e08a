/** Nobody sits at a job's terminal: programs that ask for a key are told so, unless the job says otherwise. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { encode, runJob } from '../helpers/agent.ts'
import { containerJob, FIRST } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'

const NAMES = [
  ...['PAGER', 'GIT_PAGER', 'MANPAGER', 'SYSTEMD_PAGER', 'EDITOR', 'GIT_TERMINAL_PROMPT'],
  'DEBIAN_FRONTEND',
]

const SHOW = `for name in ${NAMES.join(' ')}; do bash -c 'printf "%s " "\${!1-unset}"' - $name; done; echo`

const DEFAULTS = 'cat cat cat cat true 0 noninteractive \n'

const variable = (name: string, value: string) => ({ name, value: encode(value) })

const commands = (...directives: string[]) => directives.map((directive) => ({ directive }))

const test = engineSuite('unattended')

test('host: what nobody has set has a default, also in the shell after the first one died', async () => {
  const { events } = await runJob({
    commands: commands(SHOW, 'exit 3'),
    epilogue_always_commands: commands(SHOW),
  })

  const blocks = blocksOf(events)
  assert.is(blocks[2]?.output, DEFAULTS)
  assert.is(blocks.at(-1)?.output, DEFAULTS)
})

test('host: the agent’s environment, login scripts and the job win, a value that is empty as well', async () => {
  const home = mkdtempSync(join(tmpdir(), 'home-'))
  try {
    writeFileSync(join(home, '.profile'), 'export GIT_PAGER=profile\n')
    const { events } = await runJob(
      {
        env_vars: [variable('EDITOR', 'job'), variable('MANPAGER', '')],
        commands: commands(SHOW, 'exit 3'),
        epilogue_always_commands: commands(SHOW),
      },
      { home, environment: { PAGER: 'environment' } },
    )

    const blocks = blocksOf(events)
    assert.is(blocks[2]?.output, 'environment profile  cat job 0 noninteractive \n')
    assert.is(blocks.at(-1)?.output, blocks[2]?.output)
  } finally {
    rmSync(home, { recursive: true })
  }
})

test('container: the image, its variables and the job win over the defaults', async () => {
  const main = { env_vars: [variable('PAGER', 'image'), variable('EDITOR', 'image')] }
  const { events } = await runJob(
    containerJob(main, [SHOW, 'exit 3'], {
      env_vars: [variable('EDITOR', 'job')],
      epilogue_always_commands: commands(SHOW),
    }),
  )

  const blocks = blocksOf(events)
  assert.is(blocks[FIRST]?.output, 'image cat cat cat job 0 noninteractive \n')
  assert.is(blocks.at(-1)?.output, blocks[FIRST]?.output)
})

test('git shows its log, amends, rebases and merges without a key', async () => {
  const { events, result } = await runJob({
    commands: commands(
      `git init -q -b main repo; cd repo; git config user.name me; git config user.email me@example.com
      git config advice.waitingForEditor false
      for i in {1..300}; do echo "line $i of the message"; done >message
      echo 1 >a; git add a; git commit -qF message; echo 2 >a; git commit -qam two`,
      'git -c color.ui=never log -1 HEAD~1',
      'echo 3 >a; git commit -qa --amend; git log -1 --format=%s',
      'git rebase -qi HEAD~1; git log --oneline | wc -l',
      'git checkout -qb other HEAD~1; echo b >b; git add b; git commit -qm b; git merge main 2>&1 | tail -1',
      'touch c; git add c; git commit 2>&1; echo $?',
      "git config core.editor 'echo changed >'; git commit -q --amend; git log -1 --format=%s",
      'git ls-remote https://127.0.0.1:1/x 2>&1 | grep -c unable',
    ),
  })

  const outputs = blocksOf(events).map(({ output }) => output)
  assert.is(result, 'passed')
  assert.match(outputs[3] ?? '', / {4}line 300 of the message\n$/)
  assert.is(outputs[4], 'two\n')
  assert.is(outputs[5], '2\n')
  assert.match(outputs[7] ?? '', /empty commit message/)
  assert.is(outputs[8], 'changed\n')
})

test.run()

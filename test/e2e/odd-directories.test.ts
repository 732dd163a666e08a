/** Directories of the agent may have any name: none of it is a quote, a pattern or an end to bash. */

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../lib/events/event.ts'
import { encode, runJob } from '../helpers/agent.ts'
import { blocksOf } from '../helpers/events.ts'
import { eventsIn, followLog, withAgent } from '../helpers/served-agent.ts'

const test = suite('odd directories')

const JOB = {
  job_id: 'odd',
  env_vars: [{ name: 'A', value: encode('exported') }],
  files: [{ path: '~/file', content: encode('injected\n') }],
  commands: [
    { directive: 'echo $A; cat ~/file; type -t checkout' },
    { directive: 'checksum ~/file; cache store key file; rm file; cache restore key; cat file' },
    { directive: 'retry -t 1 true; bash -c "retry -t 1 echo found; command -v cache"' },
    { directive: 'exit 3' },
  ],
  epilogue_always_commands: [{ directive: 'echo "$A $SEMAPHORE_JOB_RESULT"; rm ~/file' }],
}

/** A user without a home of its own. */
const AS_OTHER = 'setpriv --reuid=54322 --regid=54322 --clear-groups'.split(' ')

const NAMES = [
  ["it's", 'a single quote'],
  ['a "b" `id` $HOME $(id) \\', 'what a shell would replace'],
  [' two  blanks ', 'blanks at its ends'],
  ['*?[a]{b,c}~', 'patterns'],
  ['Größe-目录', 'letters beyond ASCII'],
  ['-n', 'a dash in front'],
] as const

for (const [name, what] of NAMES) {
  test(`a state directory and a TMPDIR with ${what} in their names do`, async () => {
    const parent = mkdtempSync(join(tmpdir(), 'odd-'))
    const [stateDirectory, temporary] = [join(parent, 'state', name), join(parent, 'tmp', name)]
    mkdirSync(temporary, { recursive: true })
    try {
      await withAgent(
        async (served) => {
          await served.ask('POST', '/jobs', { body: JSON.stringify(JOB) })
          const blocks = blocksOf(eventsIn(await followLog(served, 'odd')))
          const outputOf = (start: string) =>
            blocks.find(({ directive }) => directive.startsWith(start))?.output ?? ''

          assert.is(outputOf('echo $A'), 'exported\ninjected\nfunction\n')
          assert.match(outputOf('checksum'), /^[0-9a-f]{32}\n/)
          assert.match(outputOf('checksum'), /Restored: file\..*\ninjected\n$/s)
          assert.match(outputOf('retry'), /^found\n.*\/bin\/cache\n$/s)
          assert.is(blocks.at(-1)?.output, 'exported failed\n')
        },
        [],
        { stateDirectory, environment: { TMPDIR: temporary } },
      )
    } finally {
      rmSync(parent, { recursive: true })
    }
  })
}

for (const [what, name] of [
  ['a line break', 'a\nb'],
  ['what interrupts and ends a terminal', 'a\r\u0003\u0004b'],
] as const) {
  test(`a home and a TMPDIR with ${what} in their names are no place for a job's own files`, async () => {
    const home = join(mkdtempSync(join(tmpdir(), 'odd-')), name)
    mkdirSync(home)
    try {
      const environment = { TMPDIR: home }
      const directive = 'echo "$A"; type -P cache'
      const { result, events } = await runJob(
        { env_vars: JOB.env_vars, commands: [{ directive }] },
        { home, environment, prefix: AS_OTHER },
      )

      assert.is(result, 'passed')
      assert.match(outputOf(events, directive), /^exported\n\/tmp\/agent-jobs-/)
    } finally {
      rmSync(dirname(home), { recursive: true })
    }
  })
}

/** Of one command. */
function outputOf(events: readonly JobEvent[], directive: string): string {
  return blocksOf(events).find((block) => block.directive === directive)?.output ?? ''
}

test('a home that is closed to the agent’s user, or no directory, leaves nothing behind', async () => {
  for (const home of ['/root', '/dev/null']) {
    const directive = 'dirname "$(dirname "$(dirname "$(type -P cache)")")"'
    const { result, events, stderr } = await runJob(
      { commands: [{ directive }] },
      { home, cwd: '/', prefix: AS_OTHER },
    )

    assert.is(result, 'passed')
    assert.not.match(stderr, 'Cleaning up')
    const directory = outputOf(events, directive).trim()
    assert.match(directory, '/agent-jobs-')
    assert.not.ok(existsSync(directory), directory)
    rmSync(dirname(dirname(directory)), { recursive: true })
  }
})

test.run()

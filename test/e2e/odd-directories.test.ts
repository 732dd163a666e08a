/** Directories of the agent may have any name: none of it is a quote, a pattern or an end to bash. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encode } from '../helpers/agent.ts'
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

test.run()

/** A job that keeps the agent busy, and others who ask it something meanwhile. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import { followLog, outputIn, shellJob, withAgent } from '../helpers/served-agent.ts'

const test = suite('serve: attentive')

/** Each of these took the agent's only thread for as long as it lasted. */
const BUSY = {
  'a pattern that takes for ever':
    'cd; echo x >f; cache store aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa f; for i in 1 2 3; do cache restore "(a+)+\\$x" | grep -o "takes too long"; done',
  'gigabytes where requests are written':
    't=$(dirname "$(dirname "$(type -P cache)")"); head -c 1G /dev/zero | tr "\\0" x >>"$t/requests"; echo >>"$t/requests"; cache is_not_empty || echo answered',
} as const

for (const [what, directive] of Object.entries(BUSY)) {
  test(`${what} in a job leaves the server answering`, async () => {
    await withAgent(async (served) => {
      await served.ask('POST', '/jobs', { body: shellJob('busy', directive) })
      await waitFor(async () => (await served.ask('GET', '/jobs/busy/log')).status === 200, 'a log')
      let answers = 0
      let isOver = false
      const log = followLog(served, 'busy').finally(() => {
        isOver = true
      })
      while (!isOver) {
        assert.is((await served.ask('GET', '/is_alive')).status, 200)
        answers++
      }

      assert.match(outputIn(await log), /takes too long\n(.*\n){2}|answered\n/)
      assert.ok(answers > 10, String(answers))
    })
  })
}

test.run()

/** Names of containers, as compose allows them and the engine's name server knows them. */

import * as assert from 'uvu/assert'
import { runJob } from '../helpers/agent.ts'
import { containerJob, FIRST, IMAGE } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'

const test = engineSuite('container names')

const LONGEST = `${'x'.repeat(63)}.`.repeat(3) + 'y'.repeat(61)

const NAMES = ['my_db', 'db.local', '7up', 'Mixed-', 'x.1', LONGEST]

test('every container is reached by its name, whatever compose allows in it', async () => {
  const services = NAMES.map((name) => ({ name, image: IMAGE, command: 'sleep 1000' }))
  const { events, result } = await runJob(
    containerJob(
      { name: 'the.main_one' },
      [
        `for name in ${NAMES.join(' ')} the.main_one; do getent hosts "$name" >/dev/null || echo "$name"; done`,
      ],
      { services },
    ),
  )

  assert.is(result, 'passed')
  assert.is(blocksOf(events)[FIRST]?.output, '')
})

test('the ports of a service are waited for under such a name, too', async () => {
  const { events, result } = await runJob(
    containerJob(
      {},
      ['exec 3<>/dev/tcp/my_cache.local/6379 && echo PING >&3 && read -r -u 3 a && echo "$a"'],
      {
        services: [{ name: 'my_cache.local', image: 'agent-test/redis' }],
      },
    ),
  )

  assert.is(result, 'passed')
  assert.match(blocksOf(events)[FIRST]?.output ?? '', 'PONG')
})

test.run()

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createToken } from '../../../lib/shell/marks.ts'
import { StartWatch } from '../../../lib/shell/start-watch.ts'
import { Typist } from '../../../lib/shell/typist.ts'

const test = suite('shell: typist')

const TOKEN = createToken()
const STTY = '/bin/stty'

/** A typist, and a shell that starts what it is given. */
function pair(answer: (watch: StartWatch) => void = (watch) => watch.started()) {
  const lines: string[] = []
  const watch = new StartWatch(() => false)
  const typist = new Typist({
    type: (line) => {
      lines.push(line)
      answer(watch)
    },
    watch,
    directory: '/job',
  })
  typist.ready(STTY)
  /** The shell asks from this process, the directive runs, and ends. */
  const step = async (pid: number, idle = 1) => {
    watch.asked(TOKEN, `${pid} ${idle} 40`)
    const refusal = await typist.handOver({ status: 0, path: '/job/text' })
    watch.ended()
    return refusal
  }
  const resets = () => lines.map((line) => line.includes(STTY))
  return { typist, watch, lines, step, resets }
}

test('types when it is asked, whichever comes first', async () => {
  const { typist, watch, lines } = pair()

  const refusal = typist.handOver({ status: 3, path: '/job/text' })
  const before = lines.length
  watch.asked(TOKEN, '7 1 40')

  assert.is(await refusal, undefined)
  assert.equal([before, lines.length], [0, 1])
})

test('the mode of the terminal is set when something was started since the last question', async () => {
  const { step, resets } = pair()

  for (const pid of [10, 11, 13, 15]) await step(pid)

  // The third question comes from another process than the next one; setting the mode takes one itself.
  assert.equal(resets(), [false, false, true, false])
})

test('and when something runs, or has just run, in the background', async () => {
  const { step, resets } = pair()

  await step(10)
  await step(11, 0)
  await step(13)
  await step(15)

  assert.equal(resets(), [false, true, true, false])
})

test('a shell that could not read the line is told of', async () => {
  const { step } = pair((watch) => void watch.ended())

  assert.is(await step(10), 'not-read')
})

test('a line that another process has eaten is typed again, and not for ever', async () => {
  const { step, lines } = pair((watch) => watch.asked(TOKEN, '10 0 40')) // asks again, as for a torn line

  assert.is(await step(10), 'not-taken')
  assert.is(lines.length, 5)
})

test.run()

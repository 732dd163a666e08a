import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Gatekeeper } from '../../../lib/shell/gatekeeper.ts'
import { createToken } from '../../../lib/shell/marks.ts'
import { StartWatch } from '../../../lib/shell/start-watch.ts'

const test = suite('shell: gatekeeper')

const STTY = '/bin/stty'
const PATH = '/job/directive'

/** What is said to a shell for a directive. */
async function said({ status = 0, path = PATH, stty = STTY, isModeRight = true, isRead = true }) {
  const lines: string[] = []
  const watch = new StartWatch(() => false)
  const gate = {
    path: '/dev/pts/1',
    inherited: [9],
    say: (line: string) => {
      lines.push(line)
      if (isRead) watch.started()
      else watch.ended()
    },
    close: () => undefined,
  }
  const options = { watch, gate, directory: '/job', isModeRight: () => isModeRight }
  const keeper = new Gatekeeper({ ...options, token: createToken })
  keeper.ready(stty)
  return { refusal: await keeper.handOver({ status, path }), lines }
}

test('as a rule, one line tells of the start', async () => {
  const { lines, refusal } = await said({})

  assert.is(refusal, undefined)
  assert.is(lines.length, 1)
  assert.match(lines[0] ?? '', /^\\builtin printf '.001start .*' >\/dev\/tty$/)
})

test('a status is what the second text ends with', async () => {
  const { lines } = await said({ status: 3 })

  assert.is(lines.length, 2)
  assert.match(lines[0] ?? '', /\/dev\/tty; \\builtin return 1$/)
  assert.is(lines[1], '\\builtin return 3')
})

test('a file that is elsewhere is told of in a subshell', async () => {
  const { lines } = await said({ status: 3, path: "/elsewhere/it's" })

  assert.equal(lines.slice(1), [
    '\\builtin return 0',
    "\\builtin printf %s '/elsewhere/it'\\''s'; \\builtin exit 3",
  ])
})

test('a mode that is not right is set before, where there is a program for it', async () => {
  const { lines } = await said({ isModeRight: false })

  assert.is(lines.length, 1)
  assert.match(lines[0] ?? '', /\/bin\/stty.* -icanon .*\/bin\/stty.* -icanon .*start/)
  assert.not.match((await said({ isModeRight: false, stty: '' })).lines[0] ?? '', 'stty')
})

test('a shell that ends before the start could not read', async () => {
  assert.is((await said({ isRead: false })).refusal, 'not-read')
})

test.run()

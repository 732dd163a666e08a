import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LiveLine } from '../../../lib/cli/live-line.ts'

const test = suite('cli: live line')

function createLine(columns = 40) {
  const written: string[] = []
  const state = { text: '' }
  const line = new LiveLine({
    write: (text) => void written.push(text),
    describe: () => state.text,
    columns,
  })
  line.end() // the test is the clock
  return { line, written, state }
}

test('it is drawn over itself, and gone before anything else is shown', async () => {
  const { line, written, state } = createLine()
  await line.draw()
  state.text = 'waiting 1 s'
  await line.draw()
  const before = line.makeRoom('output\n')
  state.text = 'waiting 2 s'
  await line.draw()
  state.text = ''
  await line.draw()
  await line.draw()

  assert.equal(written, ['\r\x1b[Kwaiting 1 s\r', '\r\x1b[Kwaiting 2 s\r', '\r\x1b[K\r'])
  assert.is(before, '\r\x1b[K')
  assert.is(line.makeRoom('more\n'), '')
})

test('it does not touch a line that is not at its end', async () => {
  const { line, written, state } = createLine()
  state.text = 'waiting'
  line.makeRoom('Password: ')
  await line.draw()

  assert.equal(written, [])
})

test('it is one line, however narrow the terminal', async () => {
  const { line, written, state } = createLine(8)
  state.text = 'ab\x1b[1m日本語日本語'
  await line.draw()

  assert.equal(written, ['\r\x1b[Kab [1m…\r'])
})

test.run()

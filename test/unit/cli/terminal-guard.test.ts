import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TerminalGuard } from '../../../lib/cli/terminal-guard.ts'

const test = suite('cli: terminal guard')

function show(text: string, { isTerminal = true, pieces = 1 } = {}): string {
  const guard = new TerminalGuard(isTerminal)
  let shown = ''
  for (let at = 0; at < text.length; at += pieces) shown += guard.push(text.slice(at, at + pieces))
  return shown + guard.end()
}

test('the clipboard is out of reach, however the sequence is written and cut', () => {
  const sequences = [
    '\x1b]52;c;aGk=\x07',
    '\x1b]52;c;aGk=\x1b\\',
    '\x1b]0052;;?\x1b\\',
    '\x9d52;c;aGk=\x9c',
  ]
  for (const sequence of sequences) {
    for (const pieces of [1, 3, 100]) {
      assert.is(show(`a${sequence}b\x1b[1mc`, { pieces }), 'ab\x1b[1mc', JSON.stringify(sequence))
    }
  }
  assert.is(show('a\x1b]52;c;never ends'), 'a')
  assert.is(show('a\x1b]52;c;x\x1b[31mb'), 'a\x1b[31mb')
})

test('other sequences pass, whole or not', () => {
  for (const text of ['\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\', 'a\x1b]5', '\x1b[?25', '5\x1b']) {
    for (const pieces of [1, 100]) assert.is(show(text, { pieces }), text)
  }
})

test('what is left changed is undone at the end, and nothing else', () => {
  assert.is(show('\x1b[?25lspinner'), '\x1b[?25lspinner\x1b[?25h')
  assert.is(show('\x1b[?25lspinner\x1b[?25h', { pieces: 1 }), '\x1b[?25lspinner\x1b[?25h')
  assert.is(show('\x1b[?1049;1000hx'), '\x1b[?1049;1000hx\x1b[?1049l\x1b[?1000l')
  assert.is(show('\x1b]0;mine\x07x'), '\x1b[22;0t\x1b]0;mine\x07x\x1b[23;0t')
  assert.is(show('\x1b[?25lspinner', { isTerminal: false }), '\x1b[?25lspinner')
})

test.run()

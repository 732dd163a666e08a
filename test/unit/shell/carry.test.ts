import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Carry } from '../../../lib/shell/carry.ts'

const test = suite('shell: carry')

const ended = ({ status = 0, flags = 'hB', traps = '' }) => ({
  status,
  flags,
  traps,
  isCooked: false,
})

/** @returns what stands before `echo` after directives that ended so */
function prefixAfter(...ends: readonly Parameters<typeof ended>[0][]): string {
  const carry = new Carry()
  carry.begin('hB')
  for (const end of ends) carry.keep(ended(end))
  return carry.prepend('echo\nsecond').replace(/echo\nsecond$/, '')
}

test('nothing is added to a text when there is nothing to take up', () => {
  assert.is(prefixAfter({}), '')
  assert.is(prefixAfter({ status: 3 }), '')
})

test('a status is that of the last directive', () => {
  const carry = new Carry()

  carry.keep(ended({ status: 3 }))

  assert.is(carry.status, 3)
})

test('traps come back on the first line, that for DEBUG last', () => {
  const traps = "trap -- 'echo D' DEBUG\ntrap -- 'echo C' SIGCHLD\r\ntrap -- 'echo R' RETURN\n"
  const prefix = prefixAfter({ flags: 'hBT', traps })

  assert.not.match(prefix, '\n')
  assert.match(prefix, /'echo C' CHLD; .*'echo R' RETURN; .*'echo D' DEBUG/)
})

test('a handler of several lines, with quotes and backslashes, stays one line', () => {
  const prefix = prefixAfter({ traps: "trap -- 'echo '\\''a\\b'\\''\n:' RETURN\n" })

  assert.is(
    prefix,
    "\\builtin eval $'\\\\builtin trap -- \\'echo \\'\\\\\\'\\'a\\\\b\\'\\\\\\'\\'\\n:\\' RETURN'; ",
  )
})

test('a trap for DEBUG that a text cannot see outlives it, one that it can see may have been removed', () => {
  const set = { flags: 'hBT', traps: "trap -- 'echo D' DEBUG\n" }

  assert.match(prefixAfter(set, { flags: 'hB' }, { flags: 'hBT', traps: set.traps }), 'DEBUG')
  assert.is(prefixAfter(set, { flags: 'hBT' }), '')
  assert.match(prefixAfter({ ...set, flags: 'hB' }, { flags: 'hBT' }), 'DEBUG')
  assert.is(prefixAfter(set, { flags: 'hB' }, { flags: 'hBT' }), '')
})

test('in POSIX mode, traps that are not set are shown and not taken up', () => {
  assert.is(prefixAfter({ traps: 'trap -- - DEBUG\ntrap -- - CHLD\n' }), '')
})

test('set -x comes back, and with it the status, unless that would end the shell', () => {
  assert.match(prefixAfter({ flags: 'hBx' }), 'set -x')
  assert.match(prefixAfter({ flags: 'hBx', status: 3 }), 'exit 3')
  assert.not.match(prefixAfter({ flags: 'hBex', status: 3 }), 'exit 3')
})

test('set -v shows the first line as well, whatever is in it', () => {
  const carry = new Carry()
  carry.keep(ended({ flags: 'hBv' }))

  assert.match(
    carry.prepend("echo 'a'\necho b"),
    /printf '%s\\n' 'echo '\\''a'\\''' >&2; .*set -v; echo 'a'\necho b$/,
  )
})

test.run()

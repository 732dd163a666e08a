import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatProcessTree, parseProcess } from '../../../lib/host/process-tree.ts'

const test = suite('host: process tree')

const stat = (pid: number, parent: number, name: string, letter = 'S') =>
  `${pid} (${name}) ${letter} ${parent} 1 1 0 -1 4194304\n`

test('a process is read from the kernel’s files, whatever its name', () => {
  assert.equal(parseProcess(stat(7, 3, 'a) R (b\n'), 'n_tty_read', ''), {
    pid: 7,
    parent: 3,
    name: 'a) R (b\n',
    letter: 'S',
    waitsIn: 'n_tty_read',
  })
  assert.is(parseProcess('', '', ''), undefined)
})

test('where the wait channel is not told, the system call is', () => {
  const read = process.arch === 'arm64' ? 63 : 0

  assert.is(parseProcess(stat(7, 3, 'cat'), '0', `${read} 0x3 0x1 0x2`)?.waitsIn, 'read(3)')
  assert.is(parseProcess(stat(7, 3, 'cat'), '0\n', 'running\n')?.waitsIn, '')
  assert.is(parseProcess(stat(7, 3, 'cat'), '', '99999 0x3')?.waitsIn, '')
})

test('children stand below their parents, and what is below no root is left out', () => {
  const processes = [
    parseProcess(stat(4, 2, 'sleep'), 'hrtimer_nanosleep', ''),
    parseProcess(stat(2, 1, 'bash'), 'do_wait', ''),
    parseProcess(stat(3, 2, 'no\u001b[1m'), '', ''),
    parseProcess(stat(9, 0, 'relay'), 'pipe_read', ''),
    parseProcess(stat(5, 1, 'node', 'R'), 'ep_poll', ''),
  ].filter((process) => process !== undefined)

  assert.is(
    formatProcessTree(processes, ({ parent }) => parent === 1),
    `bash (2): sleeping, in do_wait
  sleep (4): sleeping, in hrtimer_nanosleep
  no?[1m (3): sleeping
node (5): running
`,
  )
})

test('of very many only some are shown', () => {
  const processes = Array.from({ length: 250 }, (_, i) => ({
    pid: i + 2,
    parent: 1,
    name: 'x',
    letter: 'S',
    waitsIn: '',
  }))
  const text = formatProcessTree(processes, () => true)

  assert.is(text.split('\n').length, 102)
  assert.match(text, /\nand 150 more\n$/)
})

test.run()

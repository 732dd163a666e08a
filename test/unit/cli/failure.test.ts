import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { describeExitCode, FailureNotes } from '../../../lib/cli/failure.ts'

const test = suite('cli: failure')

test('exit codes are told in words', () => {
  assert.is(describeExitCode(1), 'exit code 1')
  assert.is(describeExitCode(126), 'exit code 126, found but not executable')
  assert.is(describeExitCode(127), 'exit code 127, command not found')
  assert.is(describeExitCode(137), 'exit code 137, ended by SIGKILL')
  assert.is(describeExitCode(255), 'exit code 255')
})

test('the first failure counts, with the end of its output as it looks', () => {
  const notes = new FailureNotes(() => 0)
  for (const [title, exitCode, output] of [
    ['first', 0, 'fine\n'],
    ['second', 2, `${'line\n'.repeat(2_000)}10%\r\x1b[32m100%\x1b[0m\n\nlast\x07`],
    ['third', 3, 'an epilogue\n'],
  ] as const) {
    notes.start()
    notes.add(output)
    notes.finish(title, exitCode)
  }

  const lines = notes.describe({ deadServices: ['Service "db" ended'], offersHold: false })

  assert.equal(lines, [
    'second: exit code 2',
    'Its last lines:',
    ...Array<string>(8).fill('  line'),
    '  100%',
    '  last',
    'Service "db" ended',
  ])
})

test('a kill while the kernel was short of memory is told as such', () => {
  let kills = 3
  const notes = new FailureNotes(() => kills)
  notes.start()
  kills = 4
  notes.finish('make', 137)

  const [what, hint] = notes.describe({ deadServices: [], offersHold: true })

  assert.is(what, 'make: exit code 137, ended by SIGKILL: the kernel ran out of memory meanwhile')
  assert.match(hint ?? '', /--hold 30m.*agent attach/)
})

test.run()

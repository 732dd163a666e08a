import type { ArgsDef } from 'citty'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  checkArgv,
  disguiseNegatives,
  joinLists,
  splitArgv,
} from '../../../lib/cli/command-line.ts'
import { ConfigError } from '../../../lib/errors.ts'

const test = suite('cli: words')

const ARGS: ArgsDef = {
  file: { type: 'positional', required: true },
  color: { type: 'boolean', default: true },
  format: { type: 'string' },
}

function complaintOf(...words: string[]): string {
  try {
    checkArgv('run', ARGS, words)
  } catch (error) {
    assert.instance(error, ConfigError)
    assert.match((error as ConfigError).hint, /See agent run --help\.$/)
    return (error as ConfigError).message
  }
  return ''
}

test('what the command defines passes', () => {
  const calls = [
    ['a.yaml'],
    ['-'],
    ['a.yaml', '--format', 'json'],
    ['--format=json', 'a.yaml', '--no-color'],
    ['--color', '--format', '-', 'a.yaml'],
    ['--', '-a.yaml'],
  ]
  for (const words of calls) assert.is(complaintOf(...words), '', words.join(' '))
})

test('what it does not define is named', () => {
  assert.is(complaintOf('a', '--nope'), 'agent run: unknown option --nope')
  assert.is(complaintOf('a', '-x'), 'agent run: unknown option -x')
  assert.is(complaintOf('a', '--fo=x'), 'agent run: unknown option --fo')
  assert.is(complaintOf('a', '--no-format'), 'agent run: unknown option --no-format')
  assert.is(complaintOf('a', '--file', 'b'), 'agent run: unknown option --file')
  assert.is(complaintOf('a', '--toString'), 'agent run: unknown option --toString')
  assert.is(complaintOf('a', '--constructor=x'), 'agent run: unknown option --constructor')
  assert.is(complaintOf('a', 'b'), 'agent run: unexpected argument "b"')
})

test('missing words and values are named', () => {
  assert.is(complaintOf(), 'agent run needs FILE')
  assert.is(complaintOf('--format', 'json'), 'agent run needs FILE')
  assert.is(complaintOf('a', '--format'), '--format needs a value')
  assert.is(complaintOf('a', '--color=yes'), '--color takes no value but true or false')
})

test('words after -- are another program’s call where a command takes one, and its own elsewhere', () => {
  const calling: ArgsDef = { ...ARGS, command: { type: 'positional', required: false } }
  const words = ['a', '--', 'ls', '--help', '--', '-l']

  assert.equal(splitArgv(calling, words), { own: ['a'], others: ['ls', '--help', '--', '-l'] })
  assert.equal(splitArgv(calling, ['a']), { own: ['a'], others: [] })
  assert.equal(splitArgv(ARGS, words), { own: words, others: [] })
  assert.throws(() => checkArgv('run', calling, ['a', 'ls']), /unexpected argument "ls"/)
})

test('a list may come in several flags; its values stay in their order, other words as they are', () => {
  const args: ArgsDef = { ...ARGS, files: { type: 'string', valueHint: 'host:dest,…' } }
  const joined = (...words: string[]) => joinLists(args, words)

  assert.equal(joined('a.yaml', '--format', 'json'), ['a.yaml', '--format', 'json'])
  assert.equal(joined('--files', 'a:b', 'x.yaml', '--files=c:d,e:f', '--no-color'), [
    'x.yaml',
    '--no-color',
    '--files=a:b,c:d,e:f',
  ])
  assert.equal(joined('--files', 'a:b=c', '--', '--files'), ['--files=a:b=c', '--', '--files'])
})

test('a flag whose name begins with no- is no negative of a switch', () => {
  const args: ArgsDef = { ...ARGS, 'no-output-timeout': { type: 'string', valueHint: 'DURATION' } }
  const words = [
    '--no-output-timeout',
    '5m',
    '--no-output-timeout=5m',
    '--no-color',
    '--',
    '--no-output-timeout',
  ]

  assert.equal(disguiseNegatives(args, words), [
    ...[
      '--noOutputTimeout',
      '5m',
      '--noOutputTimeout=5m',
      '--no-color',
      '--',
      '--no-output-timeout',
    ],
  ])
})

test.run()

import { execFileSync } from 'node:child_process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { splitCommand } from '../../../lib/request/split-command.ts'

const test = suite('request: words')

/** Lines in which nothing would be expanded, so that bash is a judge. */
const LINES = [
  '',
  '   ',
  'postgres -c fsync=off',
  'a\tb\n c',
  `'a b' "c d" e\\ f`,
  `a'b'"c"d`,
  `'' "" x`,
  `"it's" 'say "hi"'`,
  `"a\\"b" "a\\\\b" 'a\\b' "a\\b"`,
  `--option="two words" --other='x y'`,
  'a\\\nb',
  `$'tab\\there'`,
]

test('lines are split as bash splits them', () => {
  for (const line of LINES) {
    const script = `words=(${line}\n); (( \${#words[@]} )) && printf '%s\\0' "\${words[@]}"; true`
    const judged = execFileSync('bash', ['-c', script], { encoding: 'utf8', timeout: 10_000 })

    assert.equal(splitCommand(line), judged.split('\0').slice(0, -1), line)
  }
})

test('nothing is expanded, and operators are words', () => {
  assert.equal(splitCommand('$HOME ~ *.c `id` $(id) a|b ; x & #c > f'), [
    '$HOME',
    '~',
    '*.c',
    '`id`',
    '$(id)',
    'a|b',
    ';',
    'x',
    '&',
    '#c',
    '>',
    'f',
  ])
})

test('an open quote or escape is told apart', () => {
  for (const line of [`'a`, `"a`, `a "b' c`, 'a\\']) assert.is(splitCommand(line), undefined, line)
})

test.run()

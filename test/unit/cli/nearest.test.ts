import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { suggest } from '../../../lib/cli/nearest.ts'

const test = suite('cli: nearest word')
const COMMANDS = ['run', 'serve', 'attach', 'doctor', 'install', 'uninstall', 'completion']

test('a letter too many, too few, another one, or two that have changed places', () => {
  for (const [word, meant] of [
    ['rnu', 'run'],
    ['srve', 'serve'],
    ['attatch', 'attach'],
    ['docter', 'doctor'],
    ['instal', 'install'],
    ['unistall', 'uninstall'],
    ['completions', 'completion'],
  ] as const) {
    assert.is(suggest(word, COMMANDS), `Did you mean ${meant}? `)
  }
})

test('a word that has nothing to do with any is not taken for one', () => {
  for (const word of ['', 'x', 'start', 'exec', 'status', 'deploy']) {
    assert.is(suggest(word, COMMANDS), '', word)
  }
})

test.run()

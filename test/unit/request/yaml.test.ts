import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RequestError } from '../../../lib/errors.ts'
import { parseYaml } from '../../../lib/request/yaml.ts'

const test = suite('request: YAML')

function errorOf(text: string): string {
  try {
    parseYaml(text, 'job.yaml')
  } catch (error) {
    assert.instance(error, RequestError)
    return (error as RequestError).message
  }
  return ''
}

test('JSON is read as well, with tabs, escapes and surrogates', () => {
  const document = { a: [1, 'x/y', null, true], 'b c': { d: '😀\n\t"' } }

  assert.equal(parseYaml(JSON.stringify(document, null, '\t'), 'job.json'), document)
  assert.equal(parseYaml('{"a": "\\ud83d\\ude00\\/"}', 'job.json'), { a: '😀/' })
})

test('anchors, aliases and merge keys work', () => {
  assert.equal(parseYaml('a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\nc: *a', 'job.yaml'), {
    a: { x: 1 },
    b: { x: 1, y: 2 },
    c: { x: 1 },
  })
})

test('a mode is what is written, also without quotes', () => {
  const text =
    'files:\n  - {path: a, mode: 0644}\n  - {path: b, mode: "0600"}\n  - {mode: +x}\nn: 0644'

  assert.equal(parseYaml(text, 'job.yaml'), {
    files: [{ path: 'a', mode: '0644' }, { path: 'b', mode: '0600' }, { mode: '+x' }],
    n: 644,
  })
})

test('a mistake is shown with line, column and a caret', () => {
  assert.is(
    errorOf('commands:\n  - directive: echo a: b\n'),
    `job.yaml:2:16: expected no second ": " in this value: put it in quotes, or below a | on lines of its own
    - directive: echo a: b
                 ^`,
  )
  assert.is(
    errorOf('commands:\n\t- directive: x\n'),
    `job.yaml:2:1: Tabs are not allowed as indentation
   - directive: x
  ^`,
  )
})

test('a key that is there twice is a mistake', () => {
  assert.is(
    errorOf('{"a": 1, "a": 2}'),
    'job.yaml:1:10: expected each key once, got this one again\n  {"a": 1, "a": 2}\n           ^',
  )
})

test('several mistakes are told at once, one for a line, not without end', () => {
  const message = errorOf('a: 1\na: 2\nb: 1\nb: 2\n')
  assert.match(message, /^job\.yaml:2:1: .*\n {2}a: 2\n {2}\^\njob\.yaml:4:1: /)

  const positions = errorOf('a: 1\n'.repeat(100)).match(/^job\.yaml:/gm)
  assert.is(positions?.length, 5)
})

test('of a very long line the part around the mistake is shown', () => {
  const message = errorOf(`{"a": "${'x'.repeat(300)}" "b": 1, "c": "${'y'.repeat(300)}"}`)

  const [head = '', line = '', caret = ''] = message.split('\n')
  assert.match(head, /^job\.yaml:1:310: /)
  assert.ok(line.length <= 102)
  assert.is(line.slice(caret.length - 1, caret.length + 2), '"b"')
})

test('an alias without an anchor is a mistake', () => {
  assert.match(errorOf('a: *nope\n'), /^job\.yaml:1:4: expected an anchor &nope before its alias\n/)
})

test('a document that would grow a thousandfold is refused', () => {
  const levels = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh']) {
    levels.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`)
  }

  assert.match(errorOf(levels.join('\n')), /^job\.yaml: Excessive alias count/)
})

test('an empty document is told as such', () => {
  for (const text of ['', '\n', '# nothing but a remark\n', '---\n']) {
    assert.is(errorOf(text), 'job.yaml: expected a job, got an empty document', text)
  }
})

test('a second document is a mistake', () => {
  assert.match(errorOf('a: 1\n---\nb: 2\n'), /^job\.yaml:2:1: expected one document, /)
})

test('a quote that is never closed is told where it opens', () => {
  const at = (place: string) =>
    new RegExp(`^job\\.yaml:${place}: expected a quote that closes this one\n`)

  for (const quote of ['"', "'"]) {
    const text = `commands:\n  - directive: ${quote}echo a\n  - directive: echo b\nx: 1\n`
    assert.match(errorOf(text), at('2:16'))
    assert.match(errorOf(`${text}\n\n`), at('2:16'))
    assert.match(errorOf(`a: [b, ${quote}c]\n`), at('1:8'))
    assert.match(errorOf(`a: |\n  ${quote}x\nb: ${quote}c\n`), at('3:4'))
    assert.match(errorOf(`a: x\n${quote}b: c\n`), /^job\.yaml:2:1: /)
  }
  assert.match(errorOf('a: "x\nb: "y"\nc: 1\n'), /^job\.yaml:1:/)
  assert.match(errorOf('{"a": "x,\n "b": 1}'), at('1:7'))
})

test('a quote within quotes is told with the way to write it', () => {
  for (const text of ["a: 'it's'\n", 'a: "say "hi""\n']) {
    assert.match(
      errorOf(text),
      /^job\.yaml:1:\d+: expected nothing behind the closing quote: within/,
    )
  }
})

test('a command that begins with an exclamation mark does not lose it', () => {
  for (const value of ['! grep x f', '!grep']) {
    assert.match(
      errorOf(`a: 1\nb: ${value}\n`),
      /^job\.yaml:2:4: expected no tag: put a text that begins/,
    )
  }
  assert.equal(parseYaml('a: !!str 12', 'job.yaml'), { a: '12' })
})

test.run()

/** What the job's programs write, however it is cut, and what somebody else may write there. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LineReader } from '../../../lib/toolbox/lines.ts'
import { type Message, RequestReader } from '../../../lib/toolbox/request.ts'

const test = suite('toolbox: request')

const FIELDS = [
  '/tmp/a b',
  '1000',
  '100',
  '3',
  'cache',
  'has_key',
  'k%09%25%0A',
  'HOME=/h',
  'EMPTY=',
]
const WORDS = FIELDS.map((field) => `${field}\t`).join('')

const read = (text: string, step = text.length): Message[] => {
  const [lines, reader] = [new LineReader(), new RequestReader()]
  const bytes = Buffer.from(text, 'latin1')
  const messages: Message[] = []
  for (let at = 0; at < bytes.length; at += step) {
    for (const line of lines.push(bytes.subarray(at, at + step))) {
      messages.push(...[reader.take(line) ?? []].flat())
    }
  }
  return messages
}

const request = (id: string) => ({
  type: 'request',
  request: {
    id,
    directory: '/tmp/a b',
    uid: 1000,
    gid: 100,
    command: 'cache',
    args: ['has_key', 'k\t%\n'],
    variables: { HOME: '/h' },
  },
})

test('a request is put together from its lines, wherever the bytes are cut', () => {
  const text = `1-2 +${WORDS.slice(0, 9)}\n1-2 +${WORDS.slice(9, 30)}\n1-2 .${WORDS.slice(30)}\n`

  for (const step of [1, 2, 10, text.length]) assert.equal(read(text, step), [request('1-2')])
})

test('requests that are written at the same time stay apart', () => {
  const text = `1-1 +${WORDS.slice(0, 20)}\n2-2 .${WORDS}\n1-1 .${WORDS.slice(20)}\n`

  assert.equal(read(text), [request('2-2'), request('1-1')])
})

test('one that is taken back is told, and forgotten when it was not complete', () => {
  const text = `1-1 +${WORDS.slice(0, 20)}\n1-1 !\n1-1 .${WORDS}\n`

  assert.equal(read(text), [{ type: 'cancel', id: '1-1' }, request('1-1')])
})

test('one that begins anew has nothing of what was lost in the middle', () => {
  const text = `1-1 ~\n1-1 +${WORDS.slice(0, 20)}\n1-1 ~\n1-1 +${WORDS.slice(0, 9)}\n1-1 .${WORDS.slice(9)}\n`

  assert.equal(read(text), [request('1-1')])
})

test('lines that are none of ours are skipped', () => {
  const text = `hello\n\n../../x .${WORDS}\n1-1 ?x\n1-1 .no fields\n2-2 .${WORDS}\n`

  assert.equal(read(text), [request('2-2')])
})

test('what never ends does not fill the memory, and the next request is read', () => {
  const [lines, reader] = [new LineReader(), new RequestReader()]
  const take = (text: string) => lines.push(Buffer.from(text)).map((line) => reader.take(line))
  const before = process.memoryUsage().heapUsed

  for (let id = 0; id < 5_000; id++) {
    for (let part = 0; part < 20; part++) take(`${id}-1 +${'x'.repeat(1_000)}${id}\n`)
  }
  for (let part = 0; part < 1_000; part++) take('x'.repeat(100_000))
  take('\n')

  assert.equal(take(`2-2 .${WORDS}\n`), [request('2-2')])
  collectGarbage()
  assert.ok(process.memoryUsage().heapUsed - before < 30_000_000)
})

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

test('a line that is too long takes nothing else with it', () => {
  const lines = new LineReader()

  assert.equal(lines.push(Buffer.from(`a\n${'x'.repeat(3_000)}`)), ['a'])
  assert.equal(lines.push(Buffer.from('xx\nb\nc')), ['b'])
  assert.equal(lines.push(Buffer.from(`\n${'x'.repeat(3_000)}\nd\n`)), ['c', 'd'])
})

test.run()

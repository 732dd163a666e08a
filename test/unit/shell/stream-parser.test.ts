import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { endMark, readyMark, startMark } from '../../../lib/shell/marks.ts'
import { type ShellEvent, StreamParser } from '../../../lib/shell/stream-parser.ts'

const test = suite('shell: stream parser')

const BOOT = 'b'.repeat(32)
const TOKEN = 't'.repeat(32)
const LINE = `${TOKEN} - /tmp/d1\n`

/** Neighbouring outputs joined: how bytes were cut is not part of the meaning. */
function summarise(events: readonly ShellEvent[]): string[] {
  const lines: string[] = []
  let output = ''
  for (const event of events) {
    if (event.type === 'output') {
      output += event.bytes.toString('latin1')
      continue
    }
    if (output !== '') lines.push(`output ${JSON.stringify(output)}`)
    output = ''
    if (event.type === 'ended') lines.push(`ended ${event.status}`)
    else lines.push(event.type === 'ready' ? `ready ${event.facts}` : event.type)
  }
  return output === '' ? lines : [...lines, `output ${JSON.stringify(output)}`]
}

/** Feeds a parser that got ready, then expects one directive, in pieces of `size` bytes. */
function parse(text: string, size: number): string[] {
  const parser = new StreamParser(BOOT)
  parser.push(Buffer.from(readyMark(BOOT, '0 0 /root')))
  parser.expect(TOKEN, LINE)
  const bytes = Buffer.from(text, 'latin1')
  const events: ShellEvent[] = []
  for (let at = 0; at < bytes.length; at += size) {
    events.push(...parser.push(bytes.subarray(at, at + size)))
  }
  return summarise([...events, ...parser.end()])
}

const CASES: ReadonlyArray<readonly [name: string, text: string, expected: readonly string[]]> = [
  [
    'output between the marks',
    `${startMark(TOKEN)}hello\n${endMark(TOKEN, '0')}`,
    ['started', 'output "hello\\n"', 'ended 0'],
  ],
  [
    'output before the start and after the end',
    `late${startMark(TOKEN)}own${endMark(TOKEN, '130')}after`,
    ['output "late"', 'started', 'output "own"', 'ended 130', 'output "after"'],
  ],
  [
    'copies of other marks and lone control bytes are output',
    `${startMark(TOKEN)}\x01end ${BOOT} 0\x02\x01\x02${startMark(TOKEN)}\x01end ${TOKEN.slice(1)}${endMark(TOKEN, '7')}`,
    [
      'started',
      `output ${JSON.stringify(`\x01end ${BOOT} 0\x02\x01\x02${startMark(TOKEN)}\x01end ${TOKEN.slice(1)}`)}`,
      'ended 7',
    ],
  ],
  [
    'the echo of the typed line is dropped, with its line end',
    `late\n${LINE.trimEnd()}\r\n${startMark(TOKEN)}x${endMark(TOKEN, '0')}`,
    ['output "late\\n"', 'started', 'output "x"', 'ended 0'],
  ],
  [
    'an echo without carriage return too',
    `${LINE}${startMark(TOKEN)}${endMark(TOKEN, '0')}`,
    ['started', 'ended 0'],
  ],
  [
    'a stream that ends in the middle of a mark loses nothing',
    `${startMark(TOKEN)}x${endMark(TOKEN, '0').slice(0, 20)}`,
    ['started', `output ${JSON.stringify(`x${endMark(TOKEN, '0').slice(0, 20)}`)}`],
  ],
]

for (const [name, text, expected] of CASES) {
  test(`${name}, at every size of the chunks`, () => {
    for (let size = 1; size <= text.length; size++) assert.equal(parse(text, size), expected)
  })
}

test('the ready mark hands over its facts, and what was printed before it', () => {
  const parser = new StreamParser(BOOT)

  const events = parser.push(Buffer.from(`motd\n${readyMark(BOOT, '1000 100 /home/a b')}`))

  assert.equal(summarise(events), ['output "motd\\n"', 'ready 1000 100 /home/a b'])
})

test('the position counts what has been made into events, not what is held back', () => {
  const parser = new StreamParser(BOOT)
  parser.push(Buffer.from(readyMark(BOOT, '0 0 /')))
  const before = parser.position
  parser.expect(TOKEN, LINE)

  parser.push(Buffer.from(`ab${startMark(TOKEN).slice(0, 5)}`))

  assert.is(parser.position, before + 2)
})

test('a second directive is refused while one is expected', () => {
  const parser = new StreamParser(BOOT)
  parser.push(Buffer.from(readyMark(BOOT, '0 0 /')))
  parser.expect(TOKEN, LINE)

  assert.throws(() => parser.expect('other', 'other\n'), /already expected/)
})

test.run()

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type MarkKind, markHead, markTail, stepToken } from '../../../lib/shell/marks.ts'
import { type ShellEvent, StreamParser } from '../../../lib/shell/stream-parser.ts'

const test = suite('shell: stream parser')

const BOOT = 'b'.repeat(32)
const TOKEN = stepToken(BOOT, 0)
const LINE = `${TOKEN.slice(0, 4)}000|d1 .`

const mark = (kind: MarkKind, token: string, payload = '') =>
  `${markHead(kind, token)}${payload}${markTail(token)}`
const START = mark('start', TOKEN)
const TOLD = mark('told', TOKEN)
const endMark = (payload: string, told = '') => `${mark('end', TOKEN, payload)}${told}${TOLD}`

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
    if (event.type === 'ended') lines.push(`ended ${event.status} ${event.flags} ${event.traps}`)
    else if (event.type === 'asked') lines.push(`asked ${event.facts}`)
    else lines.push(event.type === 'ready' ? `ready ${event.facts}` : event.type)
  }
  return output === '' ? lines : [...lines, `output ${JSON.stringify(output)}`]
}

const READY = `${mark('ready', BOOT, '0 0 /bin/stty hB /root')}${mark('ask', TOKEN, '1 1')}`

/** Feeds a parser whose shell has asked, and whose line is typed, in pieces of `size` bytes. */
function parse(text: string, size: number): string[] {
  const parser = new StreamParser(BOOT)
  parser.push(Buffer.from(READY))
  parser.expectEcho(LINE)
  const bytes = Buffer.from(text, 'latin1')
  const events: ShellEvent[] = []
  for (let at = 0; at < bytes.length; at += size) {
    events.push(...parser.push(bytes.subarray(at, at + size)))
  }
  return summarise([...events, ...parser.end()])
}

const COPIES = `${mark('end', BOOT, '0 h')}\x02\x01\x02${START}\x01end ${TOKEN.slice(1)}`
const SECOND = stepToken(BOOT, 1)

const CASES: ReadonlyArray<readonly [name: string, text: string, expected: readonly string[]]> = [
  [
    'what another program prints between the line of an end mark and its tail',
    `${START}x${markHead('end', TOKEN)}0 h\n1\n2\n${markTail(TOKEN)}3\n${TOLD}`,
    ['started', 'output "x1\\n2\\n3\\n"', 'ended 0 h '],
  ],
  [
    'output between the marks',
    `${mark('ask', TOKEN, '7 ')}${START}hello\n${endMark('0 himBH')}`,
    ['asked 7 ', 'started', 'output "hello\\n"', 'ended 0 himBH '],
  ],
  [
    'output before the start and after the end',
    `late${START}own${endMark('130 h')}after`,
    ['output "late"', 'started', 'output "own"', 'ended 130 h ', 'output "after"'],
  ],
  [
    'a shell that asks again, and one that could not read',
    `${mark('ask', TOKEN, '7 ')}a${mark('ask', TOKEN, '7 8\n')}${endMark('1 h')}`,
    ['asked 7 ', 'output "a"', 'asked 7 8\n', 'ended 1 h '],
  ],
  [
    'every step has a token of its own',
    `${START}${endMark('0 h')}${mark('ask', SECOND, '9 1')}${START}${mark('start', SECOND)}`,
    ['started', 'ended 0 h ', 'asked 9 1', `output ${JSON.stringify(START)}`, 'started'],
  ],
  [
    'traps with any text in them, and what the background prints meanwhile',
    `${START}${endMark('0 h', "late\ntrap -- 'a\x02\nb'\\''c' DEBUG\nlater")}`,
    ['started', 'output "late\\nlater"', "ended 0 h trap -- 'a\x02\nb'\\''c' DEBUG\n"],
  ],
  [
    'copies of other marks and lone control bytes are output',
    `${START}${COPIES}${endMark('7 h')}`,
    ['started', `output ${JSON.stringify(COPIES)}`, 'ended 7 h '],
  ],
  [
    'the echo of the typed line is dropped',
    `late\n${LINE}${START}x${endMark('0 h')}`,
    ['output "late\\n"', 'started', 'output "x"', 'ended 0 h '],
  ],
  [
    'a stream that ends in the middle of a mark loses nothing',
    `${START}x${endMark('0 h').slice(0, 20)}`,
    ['started', `output ${JSON.stringify(`x${endMark('0 h').slice(0, 20)}`)}`],
  ],
  [
    'a stream that ends in the payload of a mark neither',
    `${START}x${mark('end', TOKEN, '0 h').slice(0, -3)}`,
    ['started', `output ${JSON.stringify(`x${mark('end', TOKEN, '0 h').slice(0, -3)}`)}`],
  ],
]

for (const [name, text, expected] of CASES) {
  test(`${name}, at every size of the chunks`, () => {
    for (let size = 1; size <= text.length; size++) assert.equal(parse(text, size), expected)
  })
}

test('a terminal that makes two characters of a line feed shows so at the end', () => {
  for (const [payload, isCooked] of [
    ['3 hB\n', false],
    ['3 hB\r\n', true],
  ] as const) {
    const parser = new StreamParser(BOOT)
    parser.push(Buffer.from(READY))

    const events = parser.push(Buffer.from(`${START}${endMark(payload)}`))

    assert.equal(events.at(-1), { type: 'ended', status: 3, flags: 'hB', traps: '', isCooked })
  }
})

test('the ready mark hands over its facts, and what was printed before it', () => {
  const parser = new StreamParser(BOOT)

  const events = parser.push(Buffer.from(`motd\n${mark('ready', BOOT, '1000 100 /home/a b')}`))

  assert.equal(summarise(events), ['output "motd\\n"', 'ready 1000 100 /home/a b'])
})

test('the position counts what has been made into events, not what is held back', () => {
  const parser = new StreamParser(BOOT)
  parser.push(Buffer.from(READY))
  const before = parser.position

  parser.push(Buffer.from(`ab${START}cd${mark('end', TOKEN, '0 h').slice(0, -4)}`))

  assert.is(parser.position, before + 2 + START.length + 2)
})

test('traps of any length cost no more memory than short ones', () => {
  const parser = new StreamParser(BOOT)
  parser.push(Buffer.from(`${READY}${START}${mark('end', TOKEN, '0 h')}`))
  let given = 0
  for (let i = 0; i < 100; i++) {
    for (const event of parser.push(Buffer.alloc(10_000, 'x'))) {
      if (event.type === 'output') given += event.bytes.length
    }
  }

  const events = parser.push(Buffer.from(TOLD))

  assert.ok(given > 900_000)
  assert.equal(events.at(-1), {
    type: 'ended',
    status: 0,
    flags: 'h',
    traps: '',
    isCooked: false,
  })
})

test.run()

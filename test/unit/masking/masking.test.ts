import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Masking } from '../../../lib/masking/masking.ts'

const test = suite('masking')

function maskingOf(...values: readonly (string | Uint8Array)[]): Masking {
  const masking = new Masking()
  for (const value of values) masking.add(Buffer.from(value as Uint8Array))
  return masking
}

const mask = (value: string | Uint8Array, text: string): string => maskingOf(value).mask(text)

/** With all that shells, JSON and URLs write in another way. */
const AWKWARD = `it's "so" & $HOME/\`x\`!é+~\\(*)`

test('a value is masked wherever it is, once for each time', () => {
  const masking = maskingOf('hunter22', 'correct horse')

  assert.is(masking.mask('a hunter22b'), 'a [secret]b')
  assert.is(masking.mask('hunter22hunter22'), '[secret][secret]')
  assert.is(masking.mask('correct horse, hunter2'), '[secret], hunter2')
})

test('secrets that overlap or are part of another are one', () => {
  const masking = maskingOf('abcdef-longer', 'abcdef', 'longer-still')

  assert.is(masking.mask('abcdef-longer-still!'), '[secret]!')
  assert.is(masking.mask('abcdef-long'), '[secret]-long')
})

test('line breaks and colours in the middle do not hide it, and the colours stay', () => {
  assert.is(mask('hunter22', 'x hun\r\nter22 y'), 'x [secret] y')
  assert.is(
    mask('hunter22', '\x1b[1mhun\x1b[31mter\x1b[K22\x1b[0m'),
    '\x1b[1m[secret]\x1b[31m\x1b[K\x1b[0m',
  )
})

test('digits in a column are not the number they make up', () => {
  const column = '1\n2\n3\n4\n5\n6\n'

  assert.is(mask('123456', column), column)
  assert.is(mask('123456', '123\n456\n'), '[secret]\n')
})

test('what programs make of it is masked as well', () => {
  const bash = (script: string) =>
    execFileSync('bash', ['-c', script, 'bash', AWKWARD], { encoding: 'utf8' })
  const forms = [
    JSON.stringify({ value: AWKWARD }),
    JSON.stringify(JSON.stringify({ value: AWKWARD })),
    `https://host/?q=${encodeURIComponent(AWKWARD)}`,
    String(new URLSearchParams({ q: AWKWARD })),
    bash('printf %q "$1"'),
    bash('printf "%s\\n" "\u0024{1@Q}"'),
    bash('export X=$1; export -p | grep " X="'),
    bash('exec 2>&1; set -x; true "$1"'),
    Buffer.from(AWKWARD).toString('hex'),
    Buffer.from(AWKWARD).toString('hex').toUpperCase(),
  ]

  for (const form of forms) {
    const masked = mask(AWKWARD, form)
    assert.match(masked, '[secret]', form)
    assert.not.match(masked, /so|HOME|&|~/, masked)
  }
})

test('base64 is masked whatever is before it, wrapped or for URLs', () => {
  const value = randomBytes(200)
  const masking = maskingOf(value)
  for (const before of ['', 'a', 'ab', 'abc']) {
    for (const encoding of ['base64', 'base64url'] as const) {
      const encoded = Buffer.concat([Buffer.from(before), value, Buffer.from('xyz')]).toString(
        encoding,
      )
      for (const width of [64, 76, 1_000]) {
        const masked = masking.mask(encoded.replace(RegExp(`.{${width}}`, 'g'), '$&\r\n'))
        assert.ok(masked.length < 24, `${before} ${encoding} ${width}: ${masked}`)
      }
    }
  }
  assert.is(masking.mask(value.toString('base64')), '[secret]')
  assert.is(mask('hunter22', Buffer.from('hunter22\n').toString('base64')), '[secret]')
})

test('a value of several lines is masked as a whole and line by line, but not where a line says nothing', () => {
  const key = `-----BEGIN KEY-----\n${randomBytes(48).toString('base64')}\n${randomBytes(30).toString('base64')}\n-----END KEY-----\n`
  const [begin = '', first = '', second = ''] = key.split('\n')
  const masking = maskingOf(key, '{\n  "password": "hunter2222",\n  "a": true\n}\n')

  assert.is(masking.mask(`x\r\n${key.replaceAll('\n', '\r\n')}y`), 'x\r\n[secret]\r\ny')
  assert.is(masking.mask(`> ${first}\n> ${second}\n`), '> [secret]\n> [secret]\n')
  assert.is(masking.mask(`${begin}\n{\n"a": true\n}\n`), `${begin}\n{\n"a": true\n}\n`)
  assert.is(masking.mask('"password": "hunter2222",'), '[secret]')
})

test('a value longer than any piece of it is one', () => {
  const long = randomBytes(3_000).toString('base64url')

  assert.is(mask(long, `<${long}>`), '<[secret]>')
  assert.is(mask(long, `<${Buffer.from(long).toString('hex')}>`), '<[secret]>')
})

test('it is told what is not masked', () => {
  const masking = new Masking()
  const tell = (value: string) => masking.add(Buffer.from(value))

  assert.is(tell('hunter22'), undefined)
  assert.is(tell('12345\n'), 'is not masked: it has fewer than 6 characters')
  assert.is(tell('------'), 'is not masked: it is made of one or two characters')
  assert.match(
    tell('{\n"a": true,\n"b": "hunter2222"\n}') ?? '',
    /but 3 of its 4 lines are not where/,
  )
  assert.match(tell('long '.repeat(20_000)) ?? '', /up to byte 65536 only/)
  assert.is(masking.mask('12345 ------ {'), '12345 ------ {')
})

test('what was shown since nothing followed is not masked any more, but its rest is', () => {
  const stream = maskingOf('hunter22').open()

  assert.is(stream.push('the hunt'), 'the ')
  assert.is(stream.heldLength, 4)
  assert.is(stream.show(), 'hunt')
  assert.is(stream.heldLength, 0)
  assert.is(stream.push('er2'), '')
  assert.is(stream.push('2 and hunter'), '[secret] and ')
  assert.is(stream.end(), 'hunter')
})

test('a secret that is added later is masked from then on', () => {
  const masking = new Masking()
  const stream = masking.open()

  const before = stream.push('hunter22 ')
  masking.add(Buffer.from('hunter22'))

  assert.is(before + stream.push('hunter22 ') + stream.end(), 'hunter22 [secret] ')
})

test.run()

import { globSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError, explain, toLine, withCode, withoutLogins } from '../../lib/errors.ts'
import { createLogger } from '../../lib/log.ts'

const test = suite('errors')

test('every code belongs to a class that is thrown', () => {
  const own = readFileSync('lib/errors.ts', 'utf8')
  const others = globSync('lib/**/*.ts').filter((path) => path !== 'lib/errors.ts')
  const sources = others.map((path) => readFileSync(path, 'utf8')).join('')
  const codes = own.match(/(?<=\| ')ERR_[A-Z_]+(?=')/g) ?? []
  const classes = own.matchAll(/class (\w+) extends AgentError \{\n {2}readonly code = '(\w+)'/g)
  const thrown = [...classes]
    .filter(([, name]) =>
      new RegExp(`(throw|return|reject\\(|=>|\\?|:|=|\\()\\s*new ${name}\\(`).test(sources),
    )
    .map(([, , code]) => code)

  assert.ok(codes.length > 0)
  assert.equal(thrown.sort(), [...codes].sort())
})

test('a code ends the first line, whatever a message quotes below it', () => {
  const error = new ConfigError('a: b: c\n     ^', { hint: 'Do.' })

  assert.is(withCode(error), 'a: b: c [ERR_CONFIG_INVALID]\n     ^')
  assert.is(toLine(error), 'a: b: c ^. Do. [ERR_CONFIG_INVALID]')
})

test('a login in a URL is in no text: of an error, its hint, its cause, the log', () => {
  let logged = ''
  const log = createLogger({ write: (text) => (logged += text) })
  const url = 'http://me:s3cret@proxy:3128'
  const cause = new Error(`Invalid proxy URL: ${url}`)
  const error = new ConfigError(`${url} is no use`, { hint: `Mend ${url}`, cause })

  log.warn(`${url}: ${explain(error)}`)

  assert.is(error.message, 'http://***@proxy:3128 is no use')
  for (const text of [logged, explain(error), toLine(error), toLine(cause), error.hint]) {
    assert.not.match(text, 's3cret')
    assert.match(text, 'http://***@proxy:3128')
  }
})

test('whatever the password is made of, it is found, and what is no login stays', () => {
  for (const password of ['a', 'p@ss', 'pa/ss', 'pa?s#s', '%2F', '12345', ':x:', 'ü']) {
    assert.is(
      withoutLogins(`to "https://u:${password}@h:1/p".`),
      'to "https://***@h:1/p".',
      password,
    )
  }
  for (const text of [
    'https://registry:5000/@scope/package',
    'image:tag@sha256:1234',
    'ssh://git@example.com/a:b',
    'http://[::1]:80/a@b',
    'unix:///run/docker.sock',
    'a: b@c',
  ]) {
    assert.is(withoutLogins(text), text)
  }
})

test('a long text without an end of a login takes no time to speak of', () => {
  const text = 'http://a:'.repeat(200_000)

  assert.is(withoutLogins(text), text)
})

test.run()

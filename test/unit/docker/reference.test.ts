import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { normalizeRegistry, parseReference } from '../../../lib/docker/reference.ts'
import { ContentError } from '../../../lib/errors.ts'

const test = suite('docker: reference')

const DIGEST = `sha256:${'a'.repeat(64)}`

const VALID: ReadonlyArray<readonly [string, string, string, string]> = [
  // text, registry, repository, version
  ['postgres', 'docker.io', 'postgres', 'latest'],
  ['postgres:16', 'docker.io', 'postgres', '16'],
  ['team/app', 'docker.io', 'team/app', 'latest'],
  ['localhost/app:1', 'localhost', 'localhost/app', '1'],
  ['127.0.0.1:5000/app', '127.0.0.1:5000', '127.0.0.1:5000/app', 'latest'],
  ['r.example.com/a/b/c:v1.0-rc_1', 'r.example.com', 'r.example.com/a/b/c', 'v1.0-rc_1'],
  ['r:5000/a', 'r:5000', 'r:5000/a', 'latest'],
  [`app@${DIGEST}`, 'docker.io', 'app', DIGEST],
  [`r:5000/app:1@${DIGEST}`, 'r:5000', 'r:5000/app', DIGEST],
  ['index.docker.io/library/redis', 'docker.io', 'index.docker.io/library/redis', 'latest'],
  ['[::1]:5000/app', '[::1]:5000', '[::1]:5000/app', 'latest'],
  [DIGEST, 'docker.io', 'sha256', 'a'.repeat(64)],
]

for (const [text, registry, repository, version] of VALID) {
  test(`${text} is on ${registry}`, () => {
    const { path: _path, ...reference } = parseReference(text)
    assert.equal(reference, { text, registry, repository, version })
  })
}

for (const text of [
  '',
  'Postgres',
  'a b',
  'a:',
  'a@sha256:1',
  '../containers',
  'a//b',
  ':1',
  '-a',
]) {
  test(`"${text}" is refused`, () => {
    assert.throws(
      () => parseReference(text),
      (error: Error) => error instanceof ContentError && error.message.includes(`"${text}"`),
    )
  })
}

test('a registry has one spelling, whatever a credential calls it', () => {
  const spellings = ['https://r.example.com/v2/', 'r.example.com', 'http://r.example.com']
  assert.equal(spellings.map(normalizeRegistry), Array(3).fill('r.example.com'))
  assert.is(normalizeRegistry('https://index.docker.io/v1/'), 'docker.io')
})

test.run()

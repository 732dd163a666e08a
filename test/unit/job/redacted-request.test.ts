import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { redactRequest } from '../../../lib/job/redacted-request.ts'
import { Masking } from '../../../lib/masking/masking.ts'
import { parseJobRequest } from '../../../lib/request/parse-job-request.ts'

const test = suite('job: the request without values')

const encode = (text: string) => Buffer.from(text).toString('base64')

const REQUEST = parseJobRequest({
  job_id: 'a-job',
  executor: 'dockercompose',
  compose: {
    containers: [
      {
        name: 'main',
        image: 'debian',
        command: 'serve --password spoken-value',
        env_vars: [{ name: 'OF_CONTAINER', value: encode('container-value') }],
      },
    ],
    image_pull_credentials: [{ env_vars: [{ name: 'LOGIN', value: encode('login-value') }] }],
  },
  env_vars: [{ name: 'PLAIN', value: encode('plain-value') }],
  files: [{ path: 'a file', content: encode('file-value'), mode: '0600' }],
  commands: [
    { directive: 'echo masked-value', alias: 'say masked-value' },
    { directive: `long ${'x'.repeat(5_000)}` },
    ...Array.from({ length: 600 }, () => ({ directive: 'true' })),
  ],
  callbacks: { finished: 'https://ci.example.com/path-value', token: 'token-value' },
})

test('has names and no values, and no text without a mask', () => {
  const masking = new Masking()
  masking.add(Buffer.from('masked-value'))

  const text = JSON.stringify(redactRequest(REQUEST, masking))

  for (const name of ['a-job', 'debian', 'OF_CONTAINER', 'LOGIN', 'PLAIN', 'a file']) {
    assert.match(text, JSON.stringify(name))
  }
  assert.match(text, '{"alias":"say [secret]","directive":"echo [secret]"}')
  assert.match(text, '"https://ci.example.com"')
  assert.not.match(text, 'value')
  for (const value of ['container', 'login', 'plain', 'file']) {
    assert.not.match(text, encode(`${value}-value`))
  }
})

test('does not grow with the request', () => {
  const text = JSON.stringify(redactRequest(REQUEST, new Masking()))

  assert.match(text, '"directive":"(5005 characters)"')
  assert.match(text, '"and 102 more"')
})

test.run()

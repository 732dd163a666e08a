import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findSecrets } from '../../../lib/job/job-secrets.ts'
import { parseJobRequest } from '../../../lib/request/parse-job-request.ts'

const test = suite('job: secrets')

const encode = (text: string) => Buffer.from(text).toString('base64')

/** A variable for each name, its value the name with a suffix; and one text with all of these. */
const variables = (...names: readonly string[]) =>
  names.map((name) => ({ name, value: encode(`${name}-value`) }))

function find(request: object, { maskByName = true, environment = {} } = {}) {
  const config = {
    hostVariables: variables('HOST_TOKEN'),
    jobEnvironment: { INHERITED_KEY: 'INHERITED_KEY-value', PLAIN: 'PLAIN-value', ...environment },
    maskByName,
  }
  return findSecrets(parseJobRequest({ job_id: 'a', ...request }), config)
}

const CONTAINERS = {
  executor: 'dockercompose',
  compose: {
    containers: [
      {
        ...{ name: 'main', image: 'x', env_vars: variables('OF_MAIN', 'MAIN_PASSWORD') },
        files: [{ path: 'f', content: encode('content of f'), secret: true }],
      },
    ],
    image_pull_credentials: [
      {
        env_vars: variables('DOCKER_USERNAME', 'DOCKER_PASSWORD'),
        files: [{ path: 'k', content: encode('content of k') }],
      },
    ],
  },
}

test('marked values, credentials and tokens are secrets everywhere in a request', () => {
  const { masking } = find({
    ...CONTAINERS,
    env_vars: [{ name: 'MARKED', value: encode('MARKED-value'), secret: true }],
    callbacks: { token: 'callback-token' },
  })

  for (const secret of [
    ...['MARKED-value', 'content of f', 'content of k', 'callback-token'],
    ...['DOCKER_PASSWORD-value', 'MAIN_PASSWORD-value', 'HOST_TOKEN-value', 'INHERITED_KEY-value'],
  ]) {
    assert.is(masking.mask(`<${secret}>`), '<[secret]>', secret)
  }
  for (const plain of ['OF_MAIN-value', 'DOCKER_USERNAME-value', 'PLAIN-value']) {
    assert.is(masking.mask(plain), plain)
  }
})

test('a name makes a secret of eight characters, unless the request or the host says no', () => {
  const request = {
    env_vars: [
      { name: 'a_secret', value: encode('12345678') },
      { name: 'B_SECRET', value: encode('abcdefg') },
      { name: 'C_SECRET', value: encode('not-a-secret'), secret: false },
      { name: 'SECRET_D', value: encode('secret-at-its-beginning') },
    ],
  }
  const text = '12345678 abcdefg not-a-secret secret-at-its-beginning'

  assert.is(
    find(request).masking.mask(text),
    '[secret] abcdefg not-a-secret secret-at-its-beginning',
  )
  assert.is(find(request, { maskByName: false }).masking.mask(text), text)
})

test('only what is marked is remarked on, and undecodable values are left to their block', () => {
  const { exposed } = find({
    env_vars: [
      { name: 'SHORT', value: encode('12345'), secret: true },
      { name: 'SHORT_KEY', value: encode('1') },
      { name: 'BROKEN', value: '***', secret: true },
    ],
  })

  assert.equal(exposed, [
    'SHORT is not masked: it has fewer than 6 characters\n',
    'BROKEN is not masked: it has fewer than 6 characters\n',
  ])
})

test.run()

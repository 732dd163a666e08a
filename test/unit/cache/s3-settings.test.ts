/** Where a job's S3 cache is and with which credentials. */

import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseS3Settings } from '../../../lib/cache/s3/settings.ts'
import { CacheError } from '../../../lib/errors.ts'

const NEEDED = { SEMAPHORE_PROJECT_ID: 'p', SEMAPHORE_CACHE_S3_BUCKET: 'b' }
const OWN = { SEMAPHORE_CACHE_S3_KEY: 'k', SEMAPHORE_CACHE_S3_SECRET: 's' }
const AGENT = { environment: {}, project: 'of-the-request' }

test('without keys of its own the cache uses the standard ones of the job', () => {
  const own = { SEMAPHORE_CACHE_S3_KEY: 'own', SEMAPHORE_CACHE_S3_SECRET: 'own secret' }
  const standard = {
    AWS_ACCESS_KEY_ID: 'standard',
    AWS_SECRET_ACCESS_KEY: 'standard secret',
    AWS_SESSION_TOKEN: 'token',
  }

  const parse = (variables: object) =>
    parseS3Settings({ ...NEEDED, ...variables }, AGENT).credentials
  assert.equal(parse({ ...own, ...standard }), {
    accessKeyId: 'own',
    secretAccessKey: 'own secret',
  })
  assert.equal(parse(standard), {
    accessKeyId: 'standard',
    secretAccessKey: 'standard secret',
    sessionToken: 'token',
  })
  assert.is(parse({}), undefined)
})

test("credentials in the agent's environment are not taken for the job's", () => {
  const environment = { AWS_ACCESS_KEY_ID: 'agent', AWS_SECRET_ACCESS_KEY: 'agent' }

  assert.is(parseS3Settings(NEEDED, { ...AGENT, environment }).credentials, undefined)
})

test('the region is that of the job, then that of the agent', () => {
  const parse = (variables: object, environment: object) =>
    parseS3Settings({ ...NEEDED, ...variables }, { ...AGENT, environment: { ...environment } })
      .region

  const agent = { AWS_REGION: 'eu-north-1' }
  assert.is(parse({ AWS_REGION: 'eu-west-1' }, agent), 'eu-west-1')
  assert.is(parse({ AWS_DEFAULT_REGION: 'eu-west-2' }, agent), 'eu-west-2')
  assert.is(parse({}, agent), 'eu-north-1')
  assert.is(parse({}, {}), 'us-east-1')
})

test('proxies are those of the job as a whole, or those of the agent', () => {
  const parse = (variables: object, environment: object) =>
    parseS3Settings({ ...NEEDED, ...variables }, { ...AGENT, environment: { ...environment } })
      .proxies

  const agent = { HTTPS_PROXY: 'http://agent:1', NO_PROXY: 'x' }
  assert.is(parse({}, agent)['HTTPS_PROXY'], 'http://agent:1')
  assert.is(parse({ https_proxy: 'http://job:1' }, agent)['NO_PROXY'], undefined)
})

test("with the job's own credentials it says the project; with the agent's, its request does", () => {
  assert.is(parseS3Settings({ ...NEEDED, ...OWN }, AGENT).project, 'p')
  assert.is(parseS3Settings(NEEDED, AGENT).project, 'of-the-request')
})

test('what is missing is named', () => {
  for (const [variables, words] of [
    [{ ...OWN, SEMAPHORE_PROJECT_ID: 'p' }, 'SEMAPHORE_CACHE_S3_BUCKET is not set'],
    [{ ...OWN, SEMAPHORE_CACHE_S3_BUCKET: 'b' }, 'SEMAPHORE_PROJECT_ID is not set'],
    [NEEDED, 'SEMAPHORE_PROJECT_ID is not set'],
    [{ ...NEEDED, SEMAPHORE_CACHE_S3_KEY: 'k' }, 'SEMAPHORE_CACHE_S3_SECRET is not set'],
    [{ ...NEEDED, AWS_SECRET_ACCESS_KEY: 's' }, 'AWS_ACCESS_KEY_ID is not set'],
  ] as const) {
    assert.throws(
      () => parseS3Settings(variables, { environment: {}, project: '' }),
      (error: unknown) => error instanceof CacheError && error.message.includes(words),
      words,
    )
  }
})

test('an address that is none is refused without being shown', () => {
  for (const url of [
    'cache.example.com',
    'ftp://x',
    'http://user:hunter2@x',
    'http://x/?a=hunter2',
  ]) {
    assert.throws(
      () => parseS3Settings({ ...NEEDED, SEMAPHORE_CACHE_S3_URL: url }, AGENT),
      (error: unknown) => error instanceof CacheError && !error.message.includes('hunter2'),
      url,
    )
  }
})

test.run()

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { negotiateVersion } from '../../../lib/docker/api-version.ts'
import { DockerVersionError } from '../../../lib/errors.ts'

const test = suite('docker: API version')

const negotiate = (ApiVersion: unknown, MinAPIVersion?: unknown) =>
  negotiateVersion('/s', { ApiVersion, MinAPIVersion })

test('the newest that both speak', () => {
  assert.is(negotiate('1.41', '1.12'), '1.41')
  assert.is(negotiate('1.45', '1.24'), '1.45')
  assert.is(negotiate('1.52', '1.44'), '1.51')
  assert.is(negotiate('1.41'), '1.41')
})

test('numbers are compared as numbers', () => {
  assert.throws(() => negotiate('1.9', '1.1'), /API 1\.9, the agent needs 1\.41/)
})

test('no common version is told, whoever is too old', () => {
  assert.throws(
    () => negotiate('1.40'),
    (error: Error) => error instanceof DockerVersionError,
  )
  assert.throws(() => negotiate('1.60', '1.52'), /speaks API 1\.52 or newer, the agent up to 1\.51/)
})

test('something else on the socket is told apart from an old engine', () => {
  assert.throws(() => negotiate(undefined), /does not report a Docker API version/)
})

test.run()

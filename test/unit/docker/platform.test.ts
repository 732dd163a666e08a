import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isSamePlatform } from '../../../lib/docker/platform.ts'

const test = suite('docker: platform')

test('names of the same processor are one platform', () => {
  assert.ok(isSamePlatform('linux/amd64', 'linux/amd64'))
  assert.ok(isSamePlatform('linux/x86_64', 'linux/amd64'))
  assert.ok(isSamePlatform('linux/aarch64', 'linux/arm64/v8'))
})

test('a variant counts where both sides name one', () => {
  assert.ok(isSamePlatform('linux/arm64', 'linux/arm64/v8'))
  assert.ok(isSamePlatform('linux/arm/v7', 'linux/arm'))
  assert.not.ok(isSamePlatform('linux/arm/v6', 'linux/arm/v7'))
})

test('another processor or system is another platform', () => {
  assert.not.ok(isSamePlatform('linux/arm64', 'linux/amd64'))
  assert.not.ok(isSamePlatform('linux/amd64', 'windows/amd64'))
})

test.run()

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { PullProgress } from '../../../lib/executors/container/images/pull-progress.ts'

const test = suite('executors: pull progress')

test('layers, bytes, seconds and the digest are told at the end', () => {
  const progress = new PullProgress('app:1', 1_000)
  const messages = [
    { status: 'Pulling from library/app', id: '1' },
    { status: 'Already exists', id: 'aaa' },
    { status: 'Pulling fs layer', id: 'bbb' },
    { status: 'Downloading', id: 'bbb', progressDetail: { current: 500_000, total: 3_000_000 } },
    { status: 'Verifying Checksum', id: 'bbb' }, // fast ones jump
    { status: 'Extracting', id: 'bbb', progressDetail: { current: 9_000_000, total: 9_000_000 } },
    { status: 'Pull complete', id: 'bbb' },
    { status: 'Digest: sha256:abc' },
    { status: 'Status: Downloaded newer image for app:1' },
  ]

  const lines = messages.map((message) => progress.push(message, 1_500)).join('')

  assert.is(progress.describeNow(3_000), 'Pulling app:1: 3.0 of 3.0 MB, 1.5 MB/s, 0 s left')
  assert.is(progress.first, 'Pulling app:1\n')
  assert.is(lines, '')
  assert.is(progress.end(3_500), 'app:1: pulled 2 of 2 layers, 3.0 MB, in 2.5 s (sha256:abc)\n')
})

test('a long pull says something every two seconds, when there is news', () => {
  const progress = new PullProgress('app:1', 0)
  const download = (current: number) => ({
    status: 'Downloading',
    id: 'aaa',
    progressDetail: { current, total: 10_000_000 },
  })

  assert.is(progress.push(download(1_000_000), 1_999), '')
  assert.is(progress.push(download(2_000_000), 2_000), 'app:1: 0 of 1 layers, 2.0 MB, 2.0 s\n')
  assert.is(progress.push(download(3_000_000), 3_999), '')
  assert.is(progress.push(download(2_000_000), 4_000), 'app:1: 0 of 1 layers, 3.0 MB, 4.0 s\n')
  assert.is(progress.push(download(3_000_000), 9_000), '')
})

test('a pull is queued while all that is still to come waits for its turn', () => {
  const progress = new PullProgress('app:1', 0)
  const isQueuedAfter = (status: string, id: string) => {
    progress.push({ status, id }, 0)
    return progress.isQueued
  }

  assert.not(isQueuedAfter('Pulling fs layer', 'aaa'))
  assert.not(isQueuedAfter('Waiting', 'bbb'))
  assert.not(isQueuedAfter('Downloading', 'aaa'))
  assert.ok(isQueuedAfter('Download complete', 'aaa'))
  assert.not(isQueuedAfter('Downloading', 'bbb'))
})

test('a layer that broke off is told, once, while the engine counts down', () => {
  const progress = new PullProgress('app:1', 0)
  const retrying = (seconds: number) => ({ status: `Retrying in ${seconds} seconds`, id: 'aaa' })
  progress.push({ status: 'Pulling fs layer', id: 'aaa' }, 0)

  assert.is(
    progress.push(retrying(5), 2_000),
    'app:1: 0 of 1 layers, 0.0 MB, 1 failed and will be retried, 2.0 s\n',
  )
  assert.is(progress.push(retrying(3), 4_000), '')
})

test.run()

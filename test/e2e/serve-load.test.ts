/** Many clients, slow clients and large logs, on the binary. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../helpers/host.ts'
import {
  bytesOf,
  eventsIn,
  followLog,
  outputIn,
  residentMegabytes,
  type ServedAgent,
  shellJob,
  whenFree,
  withAgent,
} from '../helpers/served-agent.ts'

const test = suite('serve: load')

async function submit(served: ServedAgent, id: string, ...directives: string[]): Promise<void> {
  const { status, text } = await served.ask('POST', '/jobs', { body: shellJob(id, ...directives) })
  assert.is(status, 200, text)
  await waitFor(async () => (await served.ask('GET', `/jobs/${id}/log`)).status === 200, 'a log')
}

/** How a reader wants its log, and how that becomes the plain log again. */
const READERS: readonly [headers: Record<string, string>, plain: (bytes: Buffer) => string][] = [
  [{}, (bytes) => bytes.toString()],
  [{ 'accept-encoding': 'gzip' }, (bytes) => gunzipSync(bytes).toString()],
  [{ accept: 'text/event-stream' }, (bytes) => withoutFrames(bytes.toString())],
]

function withoutFrames(events: string): string {
  return events
    .split('\n\n')
    .map((event, line) => event.replace(`id: ${line}\ndata: `, ''))
    .join('\n')
}

test('200 readers of one running job lose, repeat and reorder nothing', async () => {
  await withAgent(async (served) => {
    await submit(
      served,
      'crowd',
      `until [ -e '${served.directory}/go' ]; do sleep 0.05; done`,
      'for i in $(seq 2000); do echo "line $i"; done',
      'for i in $(seq 200); do echo "tick $i"; sleep 0.005; done',
    )
    const readings = await Promise.all(
      Array.from({ length: 200 }, async (_, reader) => {
        const [headers, plain] = READERS[reader % READERS.length] ?? [{}, String]
        const path = '/jobs/crowd/log?follow=true'
        const response = await served.open('GET', path, { headers })
        assert.is(response.statusCode, 200)
        return { text: bytesOf(response).then(plain) }
      }),
    )
    await served.ask('GET', '/status')
    await writeFile(join(served.directory, 'go'), '')
    let isOver = false
    const all = Promise.all(readings.map(({ text }) => text)).finally(() => {
      isOver = true
    })
    while (!isOver) assert.is((await served.ask('GET', '/status')).status, 200)

    const logs = await all
    const log = await followLog(served, 'crowd')
    assert.ok(outputIn(log).includes(numbered('line', 2_000)))
    assert.ok(outputIn(log).includes(numbered('tick', 200)))
    for (const [reader, text] of logs.entries()) assert.ok(text === log, `reader ${reader}`)
  })
})

function numbered(word: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `${word} ${i + 1}\n`).join('')
}

test('readers that take next to nothing of a large log cost no memory and do not slow the job', async () => {
  await withAgent(async (served) => {
    const print = (megabytes: number) =>
      `yes "$(printf 'all work and no play %079d' 0)" | head -c ${megabytes}M`
    await submit(served, 'warm', print(64))
    await followLog(served, 'warm')
    await whenFree(served, 120_000)
    const before = await residentMegabytes(served.agent.pid)

    await submit(served, 'large', print(256))
    const trickles = await Promise.all(
      Array.from({ length: 20 }, () => served.open('GET', '/jobs/large/log?follow=true')),
    )
    for (const response of trickles) response.once('data', () => response.pause())
    // The job comes to its end though nobody keeps up with it.
    await whenFree(served, 120_000)
    const growth = (await residentMegabytes(served.agent.pid)) - before
    assert.ok(growth < 60, `${growth.toFixed(0)} MB for 20 stuck readers of 256 MB`)

    const [patient, ...others] = trickles
    for (const response of others) response.destroy()
    let bytes = 0
    for await (const part of patient ?? []) bytes += (part as Buffer).length
    assert.ok(bytes > 250 * 1024 * 1024, 'the one that stays gets all of it')
  })
})

test('the tail of a long log is read without its beginning', async () => {
  await withAgent(async (served) => {
    await submit(served, 'long', ...Array.from({ length: 300 }, (_, i) => `echo ${i}`))
    const log = await followLog(served, 'long')
    const lines = log.split('\n').slice(0, -1)

    for (const from of [0, 1, 255, 256, 511, 512, lines.length - 1, lines.length]) {
      const { text } = await served.ask('GET', `/jobs/long/log?start_from=${from}`)
      assert.is(
        text,
        lines
          .slice(from)
          .map((line) => `${line}\n`)
          .join(''),
      )
    }
    assert.is(eventsIn(log).filter(({ event }) => event === 'cmd_finished').length >= 300, true)
  })
})

test.run()

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { toServerSentEvents } from '../../../lib/http/server-sent-events.ts'

const test = suite('http: events')

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

test('events are the same wherever the chunks are cut', async () => {
  const lines = Buffer.from('{"a":"ü"}\n{"b":2}\n{}\n')
  const expected = 'id: 7\ndata: {"a":"ü"}\n\nid: 8\ndata: {"b":2}\n\nid: 9\ndata: {}\n\n'
  for (let cut = 0; cut <= lines.length; cut++) {
    async function* chunks() {
      yield lines.subarray(0, cut)
      yield lines.subarray(cut)
    }
    const events = toServerSentEvents(chunks(), { firstId: 7, heartbeatMs: 60_000 })
    assert.is(await textOf(events), expected, `cut at ${cut}`)
  }
})

test('silence is filled with comments, and nothing is lost over them', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  async function* chunks() {
    await promise
    yield Buffer.from('{}\n')
  }
  const events = toServerSentEvents(chunks(), { firstId: 0, heartbeatMs: 1 })

  for (let beats = 0; beats < 3; beats++) {
    assert.is(Buffer.from((await events.next()).value ?? []).toString(), ': still here\n\n')
  }
  resolve()

  assert.match(await textOf(events), /^(: still here\n\n)*id: 0\ndata: \{\}\n\n$/)
})

test('whoever leaves ends the source, and its failure is passed on', async () => {
  let isEnded = false
  async function* endless() {
    try {
      for (;;) yield Buffer.from('{}\n')
    } finally {
      isEnded = true
    }
  }
  const events = toServerSentEvents(endless(), { firstId: 0, heartbeatMs: 60_000 })
  await events.next()
  await events.return()
  assert.is(isEnded, true)

  async function* failing() {
    yield Buffer.from('{}\n')
    throw new Error('disk on fire')
  }
  const failed = toServerSentEvents(failing(), { firstId: 0, heartbeatMs: 60_000 })
  const error = await textOf(failed).catch((reason: Error) => reason)
  assert.is((error as Error).message, 'disk on fire')
})

test.run()

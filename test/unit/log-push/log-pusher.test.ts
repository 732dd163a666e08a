/** Every row of the table in lib/log-push/README.md, against a server that keeps its rules. */

import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../../helpers/host.ts'
import { FINISHED, output, STARTED } from '../job-log/log-lab.ts'
import { type PushLab, pushLab } from './push-lab.ts'

interface Context {
  lab: PushLab
}

const test = suite<Context>('log pusher')

test.before.each(async (t) => {
  t.lab = await pushLab()
})

test.after.each(async ({ lab }) => {
  await lab.close()
})

/** So many outputs, written together. */
async function writeOutputs({ log }: PushLab, count: number, text = 'line'): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => log.write(output(`${text} ${i}\n`))))
}

/** Arrived is the file, in batches that the server takes, none of them twice. */
function assertDelivered({ hub, job, path, log }: PushLab): void {
  assert.ok(job.log.bytes.equals(readFileSync(path)), 'the server has the file')
  assert.equal(hub.violations, [])
  const taken = hub.requestsOf('log').filter(({ status }) => status === 200)
  const lines = taken.reduce((sum, request) => sum + request.lines, 0)
  assert.is(lines, log.lineCount, 'each line was taken once')
}

test('a line is pushed while the job goes on, the rest at its end', async ({ lab }) => {
  const pusher = lab.push()
  await lab.log.write(STARTED)
  await waitFor(() => lab.job.log.lineCount === 1, 'the first line arrives')
  await lab.log.write(output('later\n'))
  await lab.log.write(FINISHED)

  const delivery = await lab.finish(pusher)

  assert.equal(delivery, { lines: 3, delivered: 3, isTrimmed: false })
  assertDelivered(lab)
  assert.equal([pusher.lag, pusher.pushed.lines, pusher.pushed.bytes], [0, 3, lab.log.size])
  assert.equal(lab.said, [])
})

test('a chatty job costs one request a second or so, not one for each line', async ({ lab }) => {
  const pusher = lab.push()
  const started = performance.now()
  while (lab.hub.requestsOf('log').length < 3) {
    await lab.log.write(output('tick\n'))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const seconds = (performance.now() - started) / 1_000
  await lab.log.write(FINISHED)
  await lab.finish(pusher)

  assert.ok(seconds > 1.9, `three requests in ${seconds} s`)
  assertDelivered(lab)
})

test('batches have 2,000 lines and 1 MB at the most, a longer line goes alone', async ({ lab }) => {
  await lab.log.write(STARTED)
  await writeOutputs(lab, 4_500)
  await lab.log.write(output('x'.repeat(2_500_000)))
  await Promise.all(
    Array.from({ length: 40 }, () => lab.log.write(output(`${'y'.repeat(60_000)}\n`))),
  )
  await lab.log.write(FINISHED)

  await lab.finish(lab.push())

  assertDelivered(lab)
  const sizes = lab.hub.requestsOf('log').map(({ lines, bytes }) => ({ lines, bytes }))
  assert.equal(
    sizes.slice(0, 2).map(({ lines }) => lines),
    [2_000, 2_000],
  )
  assert.is(sizes.filter(({ lines, bytes }) => lines === 1 && bytes > 1e6).length, 1)
})

test('a token that has expired is replaced, without a word', async ({ lab }) => {
  const pusher = lab.push()
  await lab.log.write(STARTED)
  await waitFor(() => lab.job.log.lineCount === 1, 'the first line arrives')
  lab.hub.logs.expireTokens()
  await lab.log.write(FINISHED)

  await lab.finish(pusher)

  assertDelivered(lab)
  assert.is(lab.refreshes(), 1)
  assert.equal(lab.said, [])
})

test('a server that refuses its own new tokens is asked on, and that is said once', async ({
  lab,
}) => {
  lab.hub.fail({ on: 'log', fault: { status: 401 }, times: 5 })
  await lab.log.write(FINISHED)

  await lab.finish(lab.push())

  assertDelivered(lab)
  assert.is(lab.said.filter((line) => line.includes('answers 401')).length, 1)
  assert.not.match(lab.said.join(''), /eyJ/)
})

test('no other token: it is asked for again, and that is said once', async ({ lab }) => {
  let asked = 0
  const refreshToken = async () => {
    if (++asked < 4) throw new Error('the control plane answers 500')
    return lab.hub.logs.createToken(lab.job)
  }
  const pusher = lab.push({ refreshToken, token: 'no token' })
  await lab.log.write(FINISHED)

  await lab.finish(pusher)

  assertDelivered(lab)
  assert.is(lab.said.filter((line) => line.includes('answers 500')).length, 1)
})

test('no more space: the log counts as trimmed, and nothing more is sent', async ({ lab }) => {
  lab.hub.logs.limits = { ...lab.hub.logs.limits, logBytes: 100_000 }
  const pusher = lab.push()
  await writeOutputs(lab, 1_000)
  await waitFor(() => lab.job.log.lineCount > 0, 'the first lines arrive')
  await writeOutputs(lab, 2_000)
  await waitFor(() => pusher.isTrimmed, 'there is no more space')
  await lab.log.write(FINISHED)

  const { lines, delivered, isTrimmed, problem } = await lab.finish(pusher)

  assert.equal([lines, isTrimmed, problem], [3_001, true, undefined])
  assert.is(delivered, lab.job.log.lineCount)
  assert.equal(lab.hub.violations, [])
  assert.is(lab.said.filter((line) => line.includes('No more space')).length, 1)
})

test('a batch that is too large is halved until it passes', async ({ lab }) => {
  lab.hub.logs.limits = { ...lab.hub.logs.limits, bodyBytes: 30_000 }
  await writeOutputs(lab, 3_000)
  await lab.log.write(FINISHED)

  await lab.finish(lab.push())

  assertDelivered(lab)
  const refused = lab.hub.requestsOf('log').filter(({ status }) => status === 413)
  assert.ok(refused.length < 5, `refused ${refused.length} times`)
})

test('a single line that is too large ends it, and says so once', async ({ lab }) => {
  lab.hub.logs.limits = { ...lab.hub.logs.limits, bodyBytes: 30_000 }
  await lab.log.write(STARTED)
  await lab.log.write(output('x'.repeat(50_000)))
  await lab.log.write(FINISHED)

  const { delivered, problem } = await lab.finish(lab.push())

  assert.is(delivered, 1)
  assert.match(problem ?? '', /accepts no line of \d+ bytes/)
  assert.is(lab.said.filter((line) => line.includes('error:')).length, 1)
  assert.match(lab.said.join(''), lab.path)
})

for (const status of [400, 404, 429, 500, 502, 302]) {
  test(`${status} is tried again, and said once with a remedy`, async ({ lab }) => {
    lab.hub.fail({ on: 'log', fault: { status, body: 'garbage' }, times: 4 })
    await lab.log.write(FINISHED)

    await lab.finish(lab.push())

    assertDelivered(lab)
    assert.is(lab.said.filter((line) => line.includes(`answers ${status}. `)).length, 1)
    assert.is(lab.said.filter((line) => line.includes('pushed again')).length, 1)
  })
}

for (const fault of [{ status: 503 }, 'reset', 'cut', 'lost'] as const) {
  test(`after ${JSON.stringify(fault)} half as much is sent, and later all again`, async ({
    lab,
  }) => {
    lab.hub.fail({ on: 'log', fault, times: 2 })
    await writeOutputs(lab, 7_999)
    await lab.log.write(FINISHED)

    await lab.finish(lab.push())

    assert.ok(lab.job.log.bytes.equals(readFileSync(lab.path)))
    assert.equal(lab.hub.violations, [])
    const answered = lab.hub.requestsOf('log').filter((request) => request.status === 200)
    assert.equal(
      answered.map(({ lines }) => lines),
      [500, 1_000, 2_000, 2_000, 2_000, 500],
    )
  })
}

test('a server that is not there is waited for', async ({ lab }) => {
  const { port } = lab.hub
  await lab.hub.stopListening()
  const pusher = lab.push()
  await lab.log.write(FINISHED)
  await waitFor(() => lab.said.length > 0, 'the agent says that nobody answers')
  await lab.hub.listen(port)

  await lab.finish(pusher)

  assertDelivered(lab)
  assert.match(lab.said[0] ?? '', /ECONNREFUSED.*HTTPS_PROXY/s)
})

test('the time for the rest is limited, and what is missing is said', async ({ lab }) => {
  lab.hub.fail({ on: 'log', fault: { status: 500 }, times: Number.POSITIVE_INFINITY })
  await lab.log.write(STARTED)
  await lab.log.write(FINISHED)
  const pusher = lab.push()
  const { signal } = new AbortController()

  const delivery = await pusher.finish({ timeoutMs: 200, signal })

  assert.equal([delivery.lines, delivery.delivered], [2, 0])
  assert.match(delivery.problem ?? '', /answers 500/)
  assert.match(lab.said.at(-1) ?? '', /error: 2 of the 2 lines .* were not delivered to http/)
  assert.is(await pusher.finish({ timeoutMs: 1, signal }), delivery)
})

test('a pusher that is stopped ends at once, in the middle of a request', async ({ lab }) => {
  const stop = new AbortController()
  lab.hub.fail({ on: 'log', fault: 'hang' })
  await lab.log.write(FINISHED)
  const pusher = lab.push({ signal: stop.signal })
  await waitFor(() => lab.hub.requestsOf('log').length === 1, 'a request is under way')

  stop.abort()

  assert.is((await lab.finish(pusher)).delivered, 0)
})

test('the position is told after each batch; a failure to keep it is said once', async ({
  lab,
}) => {
  const told: number[] = []
  const onPosition = (lines: number) => {
    told.push(lines)
    throw new Error('the disk is full')
  }
  await writeOutputs(lab, 4_999)
  await lab.log.write(FINISHED)

  await lab.finish(lab.push({ onPosition }))

  assert.equal(told, [2_000, 4_000, 5_000])
  assert.is(lab.said.filter((line) => line.includes('the disk is full')).length, 1)
  assertDelivered(lab)
})

test('a position beyond the log cuts the server back to it', async ({ lab }) => {
  await writeOutputs(lab, 10)
  lab.job.log.append(0, Buffer.from('{"lost":"with the machine"}\n'.repeat(12)))

  const pusher = lab.push({ startFrom: 12 })
  await lab.log.write(FINISHED)
  await lab.finish(pusher)

  assert.is(lab.job.log.lineCount, 11)
  assert.match(lab.job.log.text, /job_finished/)
})

test.run()

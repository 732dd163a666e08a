/** A client that may send jobs and sends monsters: the agent has an answer, and others are heard meanwhile. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  followLog,
  outputIn,
  type ServedAgent,
  serveAgent,
  shellJob,
} from '../helpers/served-agent.ts'

interface Context {
  served: ServedAgent
}

const test = suite<Context>('serve: large requests')

test.before(async (t) => {
  t.served = await serveAgent(['--log-level', 'debug'])
})

test.after(async (t) => {
  await t.served.stop()
})

/** A little less than an agent takes. */
const BYTES = 15_500_000

/** Before there were limits, the worst of these took a minute. */
const DEAF_MS = 15_000

const filled = (head: string, item: string, tail: string) =>
  `${head}${item.repeat(Math.floor(BYTES / item.length))}${tail}`

const numbered = (count: number, item: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => item(n)).join(',')

/** Each with what the agent has to say to it. */
const monsters: Readonly<Record<string, readonly [body: string, answer: RegExp]>> = {
  'eight million numbers': [filled('{"commands":[', '1,', '1]}'), /at most 200000 values/],
  'eight million levels': [filled('', '[', ''), /at most 64 levels/],
  'a million unknown keys': [
    `{${numbered(1_200_000, (n) => `"k${n}":1`)}}`,
    /at most 200000 values/,
  ],
  'many unknown keys in one object': [
    `{"job_id":"a",${numbered(190_000, (n) => `"k${n}":1`)}}`,
    /at most 1000 fields, got 190001/,
  ],
  'unknown keys in many objects': [
    `{"job_id":"a","commands":[${numbered(9_000, (n) => `{"a${n}":1,"b":1,"c":1,"d":1,"e":1}`)}]}`,
    /100 errors, the first: commands\[0\]\.directive/,
  ],
  '40,000 containers': [
    `{"job_id":"a","executor":"dockercompose","compose":{"containers":[${numbered(
      40_000,
      (n) => `{"name":"n${n}","image":"i${n}"}`,
    )}]}}`,
    /at most 100 entries, got 40000/,
  ],
  'nothing but wrong commands': [
    `{"job_id":"a","commands":[${numbered(10_000, () => '1')}]}`,
    /100 errors, the first: commands\[0\]: expected an object, got a number/,
  ],
  'a key of megabytes': [
    `{"commands":[{"${'k'.repeat(BYTES)}":1,"directive":1}]}`,
    /commands\[0\]\.directive: expected a string, got a number/,
  ],
}

for (const [name, [body, expected]] of Object.entries(monsters)) {
  test(`${name}: refused, and is_alive is answered meanwhile`, async ({ served }) => {
    let isOver = false
    const answering = served.ask('POST', '/jobs', { body }).finally(() => {
      isOver = true
    })
    let slowest = 0
    while (!isOver) {
      const since = performance.now()
      assert.is((await served.ask('GET', '/is_alive')).text, 'yes')
      slowest = Math.max(slowest, performance.now() - since)
    }

    const { status, text } = await answering
    assert.is(status, 422, text.slice(0, 200))
    assert.match(text, expected)
    assert.ok(text.length < 20_000, `an answer of ${text.length} characters`)
    assert.ok(slowest < DEAF_MS, `deaf for ${slowest.toFixed(0)} ms`)
  })
}

test('control characters of a request are escaped in the agent log', async ({ served }) => {
  const body = JSON.stringify({ ...JSON.parse(shellJob('escaped', 'true')), 'a\x1b[2J\x9b\nb': 1 })
  assert.is((await served.ask('POST', '/jobs', { body })).status, 200)
  await followLog(served, 'escaped')
  await served.ask('GET', '/x%1b%5b2J%0Ay')

  const { text } = await served.ask('GET', '/agent_logs')
  assert.match(text, 'Unknown keys in the job request are ignored: ["a\\u001b[2J\\u009b\\nb"]\n')
  assert.is(text.replaceAll('\n', '').search(/\p{Cc}/u), -1)
  assert.not.match(text, /^y/m)
})

test('a job of 10,000 commands and 15 MB is taken', async ({ served }) => {
  const value = Buffer.alloc(10_000_000, 'x').toString('base64')
  const body = JSON.stringify({
    job_id: 'large',
    env_vars: [],
    files: [{ path: 'big', content: value, mode: '0600' }],
    commands: [{ directive: 'wc -c < big' }],
    epilogue_on_fail_commands: Array(10_000).fill({ directive: 'true', alias: 'never' }),
  })
  assert.is((await served.ask('POST', '/jobs', { body })).status, 200)

  assert.match(outputIn(await followLog(served, 'large')), '10000000\n')
})

const IDS = [
  'a/b',
  '%2F',
  '%2e%2e',
  '100%',
  'a?b#c&d=e',
  'ä 日😀',
  '+',
  '...',
  '~',
  '__proto__',
  '\\',
]

test('whatever id is taken, its log has a URL', async ({ served }) => {
  for (const id of IDS) {
    const taken = await served.ask('POST', '/jobs', { body: shellJob(id, 'true') })
    assert.is(taken.text, '{"message": "ok"}', id)
    assert.match(await followLog(served, encodeURIComponent(id)), '"result":"passed"', id)
  }
})

test.run()

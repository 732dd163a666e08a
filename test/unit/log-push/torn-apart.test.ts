/** Whatever breaks in between, what the server holds at the end is the file, byte for byte. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { waitFor } from '../../helpers/host.ts'
import type { Fault } from '../../helpers/hub/faults.ts'
import { createRandom, type Random } from '../../helpers/random.ts'
import { FINISHED, output } from '../job-log/log-lab.ts'
import { type PushLab, pushLab } from './push-lab.ts'

const FIRST_SEED = Number(process.env['FIRST_SEED'] ?? 1)
const SEEDS = Number(process.env['SEEDS'] ?? 3)

/** How often the agent dies in the middle. */
const KILLS = 5

const test = suite('log pusher: torn apart')

for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
  test(`connections, tokens and agents that break at random lose and repeat nothing (seed ${seed})`, async () => {
    const lab = await pushLab({ logs: { logBytes: 1e9 } })
    try {
      const random = createRandom(seed)
      lab.hub.faults.always = () => mishap(random, lab)
      const writing = writeLog(lab, random)
      const position = await pushWithKills(lab, random)
      await writing
      const last = lab.push({ startFrom: position })
      await lab.finish(last)

      assert.equal([last.lag, lab.hub.violations], [0, []])
      assert.is(digest(lab.job.log.bytes), digest(readFileSync(lab.path)))
    } finally {
      await lab.close()
    }
  })
}

const MISHAPS: readonly Fault[] = [
  ...(['lost', 'lost', 'reset', 'cut', { status: 503 }, { status: 401 }] as const),
  ...([{ status: 500, body: '<html>' }, { delayMs: 20 }] as const),
]

/** One request in three goes wrong. */
function mishap(random: Random, { hub }: PushLab): Fault | undefined {
  if (random(40) === 0) hub.logs.expireTokens()
  return random(3) === 0 ? MISHAPS[random(MISHAPS.length)] : undefined
}

/** Some 6,000 lines from a few bytes to more than a request takes. */
async function writeLog({ log }: PushLab, random: Random): Promise<void> {
  for (let block = 0; block < 60; block++) {
    const length = [3, 30, 300, 1_000][random(4)] ?? 0
    const lines = Array.from({ length: random(200) }, (_, i) =>
      log.write(output(`${block}.${i} ${'ü'.repeat(random(length))}\n`)),
    )
    if (random(20) === 0) lines.push(log.write(output('z'.repeat(1_200_000))))
    await Promise.all(lines)
    await new Promise((resolve) => setTimeout(resolve, random(10)))
  }
  await log.write(FINISHED)
}

/**
 * Each agent knows of the one before what that has kept: sometimes not the last position.
 *
 * @returns what the next one is to begin with
 */
async function pushWithKills(lab: PushLab, random: Random): Promise<number> {
  let kept = 0
  for (let life = 0; life < KILLS; life++) {
    const end = new AbortController()
    const { length } = lab.hub.requests
    const pusher = lab.push({
      startFrom: kept,
      signal: end.signal,
      onPosition: (lines) => {
        if (random(3) > 0) kept = lines
      },
    })
    const requests = length + 1 + random(10)
    await waitFor(
      () => lab.hub.requests.length >= requests || (lab.log.ended && pusher.lag === 0),
      'some requests',
    )
    end.abort()
    await lab.finish(pusher)
    // What a dead agent has sent is with the server before the next one has started.
    await fetch(lab.hub.url).catch(() => undefined)
  }
  return kept
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

test.run()

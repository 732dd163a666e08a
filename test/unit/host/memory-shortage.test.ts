import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { spawnWithOomScore } from '../../../lib/host/memory-shortage.ts'

const test = suite('host: memory shortage')

const SCORE = '/proc/self/oom_score_adj'
const own = Number(readFileSync(SCORE, 'utf8'))
const scoreOf = (program: () => { readonly stdout: Buffer }) => Number(program().stdout.toString())
const readScore = () => spawnSync('sh', ['-c', `cat ${SCORE}`])

test('what is started, and its children, are nearer to the end than this process', () => {
  assert.is(
    scoreOf(() => spawnWithOomScore(readScore)),
    Math.min(own + 500, 1_000),
  )
})

test('afterwards this process is as it was, also when nothing could be started', () => {
  assert.throws(() =>
    spawnWithOomScore(() => {
      throw new Error('no such program')
    }),
  )

  assert.is(Number(readFileSync(SCORE, 'utf8')), own)
  assert.is(scoreOf(readScore), own)
})

test.run()

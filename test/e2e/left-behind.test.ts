/** What an earlier directive has left behind reads the terminal, or floods it: the job ends all the same. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { blocksOf } from '../helpers/events.ts'
import { inJob, PLACES } from '../helpers/in-job.ts'

const test = suite('left behind')

/** Many, since it is chance who gets which byte. */
const EATERS =
  'for i in {1..9}; do (while builtin read -rs -N 1 x; do :; done </dev/tty) & done; echo left'

for (const place of PLACES) {
  test(`${place}: who eats what is typed to the terminal keeps no directive from running, or fails it, with the reason`, async () => {
    const { outputs, job } = await inJob(place, [EATERS, 'echo on'])

    const [expected, result] =
      place === 'host'
        ? [/^on\n$/, 'passed'] // nothing is typed there
        : [/(something else reads its terminal|could not read the next)/, 'failed']
    assert.is(outputs[0], 'left\n')
    assert.match(outputs[1] ?? '', expected)
    assert.is(job.result, result)
  })

  test(`${place}: a flood neither hides the end of a shell nor outlives it`, async () => {
    const { blocks, job } = await inJob(place, ['yes & sleep 0.2', 'kill -KILL $$'])

    // Where one block ends and the next begins is chance, in the middle of a line, too.
    const output = `${blocks[0]?.output}${blocks[1]?.output}`
    assert.match(output, 'y\ny\n')
    assert.match(output.replaceAll('y\n', ''), /^y?$/) // as a whole it is too long for an expression
    assert.is(blocks[1]?.exitCode, 137)
    assert.is(job.result, 'failed')
    assert.is(blocksOf(job.events).at(-1)?.exitCode, 0)
  })

  test(`${place}: nor does it delay the next directive`, async () => {
    const { blocks, job } = await inJob(place, ['yes & :', 'echo on; kill %1', 'echo off'])

    assert.match(blocks[1]?.output ?? '', /on\n/)
    assert.is(job.result, 'passed')
  })
}

test.run()

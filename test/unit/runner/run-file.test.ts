import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { failuresOf } from '../../runner/report.ts'
import { runFile } from '../../runner/run-file.ts'

/** What uvu alone would have called a success, or waited for without end. */
const ACCIDENTS = [
  ['hook-throws', 'hook throws: before hook threw Error: no database'],
  ['after-each-throws', 'after each throws: after.each hook threw Error: cannot clean up'],
  ['never-run', '1 tests of suite "forgotten" never run'],
  ['only', '"only: is looked at" is marked .only'],
  ['empty', 'has no test that ran'],
  ['ends-early', 'ended before its tests were over in "ends early: waits for nothing"'],
  ['open-handle', 'TCPServerWrap'],
  ['leaves-things', 'behind: sleep 4242'],
  ['leaves-things', 'left left.txt behind in its temporary directory'],
] as const

const run = (name: string, limitMs = 30_000) =>
  runFile(`test/fixtures/runner/${name}.ts`, { limitMs, signal: new AbortController().signal })

const test = suite('runner: run-file')

test('counts the tests of a file', async () => {
  const { passed, failed, problems } = await run('passing')

  assert.equal({ passed, failed, problems }, { passed: 2, failed: 0, problems: [] })
})

test('counts a failed test once, and keeps its message', async () => {
  const result = await run('failing')

  assert.is(result.passed, 1)
  assert.is(failuresOf(result), 1)
  assert.match(result.output, '"adds up"')
})

for (const [name, expected] of ACCIDENTS) {
  test(`${name}: fails with "${expected}"`, async () => {
    const { problems } = await run(name)

    assert.ok(
      problems.some((problem) => problem.includes(expected)),
      `problems were: ${problems.join('\n')}`,
    )
  })
}

test('a hook that throws after a test does not keep the next test from running', async () => {
  const { passed } = await run('after-each-throws')

  assert.is(passed, 2)
})

test('a test without an end is killed at the time limit and named', async () => {
  const { problems } = await run('hangs', 4_000)

  assert.equal(problems, [
    'was killed after its 4 s',
    'ended before its tests were over in "hangs: waits for ever"',
  ])
})

test.run()

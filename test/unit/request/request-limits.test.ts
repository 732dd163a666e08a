/** A document that is large, or all wrong, costs little and gets a short answer. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RequestError } from '../../../lib/errors.ts'
import { parseJson } from '../../../lib/request/json.ts'
import { parseJobRequest } from '../../../lib/request/parse-job-request.ts'
import { atOnce } from '../../../lib/slices.ts'

const test = suite('request: limits')

function problemsOf(work: () => unknown): string[] {
  try {
    work()
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    return error.problems.map(({ path, message }) => `${path}: ${message}`)
  }
  return []
}

const problemsIn = (document: object) => problemsOf(() => parseJobRequest(document))

const parseText = (text: string) => atOnce(parseJson(Buffer.from(text)))

test('a document that is all wrong is told by its first 100 problems', () => {
  const problems = problemsIn({ job_id: 'a', commands: Array(10_000).fill(1) })

  assert.is(problems.length, 100)
  assert.is(problems[99], 'commands[99]: expected an object, got a number')
})

test('lists have a limit, each according to what is in it', () => {
  const document = {
    job_id: 'a',
    commands: Array(10_001).fill({ directive: '' }),
    ssh_public_keys: Array(1_001).fill(''),
    executor: 'dockercompose',
    compose: { containers: Array(101).fill({ name: 'a', image: 'b' }) },
  }

  assert.equal(problemsIn(document), [
    'commands: expected at most 10000 entries, got 10001',
    'ssh_public_keys: expected at most 1000 entries, got 1001',
    'compose.containers: expected at most 100 entries, got 101',
  ])
  assert.is(
    parseJobRequest({ job_id: 'a', commands: document.commands.slice(1) }).commands.length,
    10_000,
  )
})

test('of many unknown keys the first are named and the others counted, long ones are cut', () => {
  const keys = Array.from({ length: 900 }, (_, i) => [`${'k'.repeat(1_000)}${i}`, 1])
  const { unknownKeys } = parseJobRequest({ job_id: 'a', ...Object.fromEntries(keys) })

  assert.is(unknownKeys.length, 101)
  assert.is(unknownKeys[0], `["${'k'.repeat(60)}…"]`)
  assert.is(unknownKeys[100], '800 more')
})

test('an object of more fields than any job has is refused', () => {
  const fields = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${i}`, 1]))

  assert.equal(problemsIn({ job_id: 'a', logger: fields }), [
    'logger: expected at most 1000 fields, got 1001',
  ])
})

test('an id is one under which a log has a URL', () => {
  for (const id of ['.', '..', 'a\nb', '\0', '\x7f', '\x9b', '\ud800', 'x'.repeat(1_025)]) {
    const problems = [...problemsIn({ job_id: id }), ...problemsIn({ id })]
    assert.is(problems.length, 2, JSON.stringify(id))
    assert.match(problems[0] ?? '', /^job_id: expected an id of at most 1024 characters, /)
    assert.match(problems[1] ?? '', /^id: expected an id /)
  }
  for (const id of ['...', 'a..', '%2e', 'a/b', '?#', ' ', 'ä日😀', 'x'.repeat(1_024)]) {
    assert.is(parseJobRequest({ job_id: id }).id, id)
  }
})

test('JSON of too many values or levels is refused before it is parsed, and text is no value', () => {
  const tooMany = [': expected at most 200000 values, got more']
  const tooDeep = [': expected at most 64 levels, got more']

  assert.equal(
    problemsOf(() => parseText(`[${'1,'.repeat(200_000)}1]`)),
    tooMany,
  )
  assert.equal(
    problemsOf(() => parseText(`[${'{},'.repeat(100_000)}1]`)),
    tooMany,
  )
  assert.equal(
    problemsOf(() => parseText('['.repeat(65))),
    tooDeep,
  )
  assert.equal(
    problemsOf(() => parseText('{"a":'.repeat(65))),
    tooDeep,
  )
  const brackets = '[{,'.repeat(300_000)
  assert.equal(parseText(`["${brackets}\\"${brackets}", "\\\\", [[]]]`), [
    `${brackets}"${brackets}`,
    '\\',
    [[]],
  ])
})

test('what is no JSON is refused without a word of it; a byte order mark is taken', () => {
  const invalid = Buffer.from([0x22, 0xff, 0x22])

  assert.equal(problemsOf(() => parseText('{"a": secret}')).length, 1)
  assert.not.match(problemsOf(() => parseText('{"a": secret}'))[0] ?? '', 'secret')
  assert.equal(
    problemsOf(() => atOnce(parseJson(invalid))),
    [': expected JSON: not UTF-8'],
  )
  assert.is(parseText('\ufeff1'), 1)
})

test.run()

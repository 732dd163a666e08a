import { setTimeout as sleep } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Check, examineAll, ok, problem, warning } from '../../../lib/checks/check.ts'
import { renderJson, renderTable } from '../../../lib/doctor/report.ts'
import { ConfigError } from '../../../lib/errors.ts'

const test = suite('doctor: checks and report')

const check = (subject: string, examine: Check['examine']): Check => ({
  area: 'machine',
  subject,
  examine,
})

test('a check that throws is a problem: an agent error with its hint, any other to be reported', async () => {
  const findings = await examineAll([
    check('known', () => Promise.reject(new ConfigError('No.', { hint: 'Yes.' }))),
    check('bug', () => Promise.reject(new TypeError('x is not y'))),
  ])

  assert.equal(findings, [
    { area: 'machine', subject: 'known', ...problem('No. [ERR_CONFIG_INVALID]', 'Yes.') },
    {
      area: 'machine',
      subject: 'bug',
      ...problem(
        'could not be examined: x is not y',
        'Report this with the output of agent doctor.',
      ),
    },
  ])
})

test('a check that ignores its signal ends all the same, and the others are kept', async () => {
  const over = new AbortController()
  const forEver = () => sleep(60_000, ok('never'), { signal: over.signal })

  const findings = await examineAll(
    [check('deaf', forEver), check('quick', async () => ok('here'))],
    10,
  )

  over.abort()
  assert.match(findings[0]?.message ?? '', 'did not finish within 0.01 s')
  assert.is(findings[1]?.message, 'here')
})

test('a check with nothing to say leaves no line', async () => {
  assert.equal(await examineAll([check('silent', async () => undefined)]), [])
})

const FINDINGS = [
  { area: 'serve', subject: 'port', ...problem('it is taken', 'Take another.') },
  { area: 'machine', subject: 'memory', ...ok('plenty') },
  { area: 'machine', subject: 'disk', ...warning('hardly any', 'Buy one.') },
] as const

test('the table has areas in their order, states, and what to do', () => {
  assert.is(
    renderTable(FINDINGS, { colours: false }),
    `This machine
  ok       memory  plenty
  warning  disk    hardly any
                   → Buy one.

Serving (agent serve)
  problem  port    it is taken
                   → Take another.

1 problem, 1 warning, 1 ok
`,
  )
  assert.match(renderTable(FINDINGS, { colours: true }), '\x1b[31m')
})

test('JSON has the worst state and the findings as they are', () => {
  assert.equal(JSON.parse(renderJson(FINDINGS)), { state: 'problem', findings: FINDINGS })
})

test.run()

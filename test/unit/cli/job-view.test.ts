import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatElapsed, JobView } from '../../../lib/cli/job-view.ts'
import type { JobEvent, JobResult } from '../../../lib/events/event.ts'

const test = suite('cli: job view')

/** A step of a job as the view is shown it: each takes 1,500 ms. */
interface Step {
  readonly directive: string
  readonly output?: readonly string[]
  readonly exitCode?: number
}

function eventsOf(steps: readonly Step[], result: JobResult): JobEvent[] {
  const at = { timestamp: 1, started_at: 1, finished_at: 1 }
  return [
    { event: 'job_started', timestamp: 1 },
    ...steps.flatMap(({ directive, output = [], exitCode = 0 }): JobEvent[] => [
      { event: 'cmd_started', timestamp: 1, directive },
      ...output.map((text): JobEvent => ({ event: 'cmd_output', timestamp: 1, output: text })),
      { event: 'cmd_finished', ...at, directive, exit_code: exitCode },
    ]),
    { event: 'job_finished', timestamp: 1, result },
  ]
}

function show(
  steps: readonly Step[],
  result: JobResult,
  { colours = false, columns = 60 } = {},
): string {
  let text = ''
  let now = 0
  const view = new JobView({
    write: (part) => {
      text += part
    },
    colours,
    columns,
    now: () => {
      now += 750
      return now
    },
  })
  for (const event of eventsOf(steps, result)) void view.write(event)
  return text
}

test('a job reads as headers, output, verdicts and a table', () => {
  const text = show(
    [
      { directive: 'Exporting environment variables', output: ['Exporting A\n'] },
      { directive: 'echo hi\necho there', output: ['hi\n', 'there'] },
      { directive: 'false', exitCode: 1 },
    ],
    'failed',
  )

  assert.is(
    text,
    `▶ Exporting environment variables
Exporting A
✓ 750 ms

▶ echo hi …
hi
there
✓ 750 ms

▶ false
✗ exit code 1, 750 ms

  Step                               Exit        Time
  ✓ Exporting environment variables     0      750 ms
  ✓ echo hi …                           0      750 ms
  ✗ false                               1      750 ms

✗ false: exit code 1
  To investigate, run it with --hold 30m, and agent attach from another terminal

Job failed in 5.3 s
`,
  )
})

test('output passes as it is, however it was cut', () => {
  const output = ['a\r', 'b\x1b[31m', 'c\n\n', '\0\t€']

  const text = show([{ directive: 'x', output }], 'passed')

  assert.ok(text.startsWith(`▶ x\n${output.join('')}\n✓ `))
})

test('the verdict begins a line of its own, without one too many', () => {
  assert.match(show([{ directive: 'x', output: ['a'] }], 'passed'), /\na\n✓ /)
  assert.match(show([{ directive: 'x', output: ['a\n'] }], 'passed'), /\na\n✓ /)
  assert.match(show([{ directive: 'x' }], 'passed'), /▶ x\n✓ /)
})

test('titles are one line without control characters', () => {
  const text = show([{ directive: '\n  a\tb\x1b[31m\rc\x9b  \nmore\n' }], 'passed')

  assert.match(text, '▶ a b [31m c …\n')
})

test('the table fits the terminal, also with wide characters', () => {
  const text = show(
    [{ directive: 'x'.repeat(100) }, { directive: '部署'.repeat(30) }, { directive: '🚀 Deploy' }],
    'passed',
    { columns: 50 },
  )

  const table = text.slice(text.indexOf('  Step'))
  assert.is(
    table,
    `  Step                          Exit        Time
  ✓ xxxxxxxxxxxxxxxxxxxxxxxxx…     0      750 ms
  ✓ 部署部署部署部署部署部署…      0      750 ms
  ✓ 🚀 Deploy                      0      750 ms

Job passed in 5.3 s
`,
  )
})

test('a job without steps has no table', () => {
  assert.is(show([], 'passed'), 'Job passed in 750 ms\n')
})

test('each result and a failed step have their colour, where colours are wanted', () => {
  const text = show([{ directive: 'x', exitCode: 3 }], 'stopped', { colours: true })

  assert.match(text, '\x1b[31m✗ exit code 3, 750 ms\x1b[39m')
  assert.match(text, '\x1b[33m\x1b[1mJob stopped\x1b[22m\x1b[39m in')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
  assert.not.match(show([{ directive: 'x', exitCode: 3 }], 'stopped'), /\x1b/)
})

test("the agent's own steps step back", () => {
  const steps = [{ directive: 'Injecting Files' }, { directive: 'make' }]

  const text = show(steps, 'passed', { colours: true })

  assert.match(text, '▶\x1b[39m \x1b[2mInjecting Files\x1b[22m')
  assert.match(text, '▶\x1b[39m \x1b[1mmake\x1b[22m')
})

test('colours that a step left on end with it', () => {
  const steps = [
    { directive: 'x', output: ['\x1b[31mred'] },
    { directive: 'y', output: ['plain'] },
  ]

  const text = show(steps, 'passed', { colours: true })

  assert.match(text, '\x1b[31mred\x1b[0m\n')
  assert.match(text, 'plain\n\x1b[2m✓')
})

test('what the reader makes the view wait for is what the job waits for', async () => {
  const waited = Promise.resolve()
  const view = new JobView({ write: () => waited, colours: false, columns: 80 })

  assert.is(view.write({ event: 'cmd_output', timestamp: 1, output: 'x' }), waited)
})

test('times read well from milliseconds to hours', () => {
  assert.equal([0, 0.4, 999, 1_000, 59_949, 61_000, 3_725_000].map(formatElapsed), [
    '0 ms',
    '0 ms',
    '999 ms',
    '1.0 s',
    '59.9 s',
    '1 min 01 s',
    '62 min 05 s',
  ])
})

test.run()

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { advance, INITIAL_STATE, nextStep, type Outcome, type Plan } from '../../../lib/job/plan.ts'

const test = suite('job: plan')

const PLAN: Plan = {
  commands: [{ directive: 'c1' }, { directive: 'c2' }],
  epilogueAlways: [{ directive: 'a1' }, { directive: 'a2' }],
  epilogueOnPass: [{ directive: 'p1' }],
  epilogueOnFail: [{ directive: 'f1' }],
  hooks: {},
}

/** Walks the plan; a step answers `passed` unless its label is in `outcomes`. */
function walk(plan: Plan, outcomes: Readonly<Record<string, Outcome>>): string[] {
  return walkWhole(plan, outcomes).filter((label) => label !== 'end-shell')
}

function walkWhole(plan: Plan, outcomes: Readonly<Record<string, Outcome>>): string[] {
  const steps: string[] = []
  let state = INITIAL_STATE
  for (let step = nextStep(plan, state); step !== undefined; step = nextStep(plan, state)) {
    const label =
      step.kind === 'command'
        ? step.command.directive
        : step.kind === 'export-result'
          ? `result=${step.result}`
          : step.kind === 'hook'
            ? step.path
            : step.kind
    steps.push(label)
    state = advance(plan, state, outcomes[label] ?? { kind: 'passed' })
  }
  return [...steps, `=> ${state.result}`]
}

const failed = (exitCode = 1): Outcome => ({ kind: 'failed', exitCode })

test('a job that passes runs its commands, then the always and on-pass epilogues', () => {
  assert.equal(walk(PLAN, {}), [
    ...['prepare', 'export', 'inject', 'c1', 'c2', 'result=passed', 'a1', 'a2', 'p1', '=> passed'],
  ])
})

test('commands end at the first failure; the on-fail epilogue runs', () => {
  assert.equal(walk(PLAN, { c1: failed(7) }), [
    ...['prepare', 'export', 'inject', 'c1', 'result=failed', 'a1', 'a2', 'f1', '=> failed'],
  ])
})

test('each epilogue list ends at its own first failure and changes no result', () => {
  assert.equal(walk(PLAN, { a1: failed(), p1: failed() }).slice(-4), [
    'result=passed',
    'a1',
    'p1',
    '=> passed',
  ])
})

test('no commands at all is passed', () => {
  assert.equal(walk({ ...PLAN, commands: [] }, {}).at(-1), '=> passed')
})

test('a failed preparation ends the job without epilogues', () => {
  assert.equal(walk(PLAN, { prepare: failed() }), ['prepare', '=> failed'])
})

for (const step of ['export', 'inject']) {
  test(`a failed ${step} runs no commands, but the epilogues of a failed job`, () => {
    assert.equal(walk(PLAN, { [step]: failed() }).slice(-5), [
      'result=failed',
      'a1',
      'a2',
      'f1',
      '=> failed',
    ])
  })
}

for (const [value, result] of [
  ['passed', 'passed'],
  ['failed', 'failed'],
  ['', 'stopped'],
  ['odd', 'stopped'],
] as const) {
  test(`exit code 130 with SEMAPHORE_JOB_RESULT='${value}' is ${result}, without epilogues`, () => {
    const outcomes = { c1: failed(130), 'check-result': { kind: 'checked', value } as const }

    assert.equal(walk(PLAN, outcomes).slice(-3), ['c1', 'check-result', `=> ${result}`])
  })
}

test('a stop ends everything, in every phase', () => {
  for (const step of ['prepare', 'export', 'inject', 'c1', 'c2', 'a1', 'p1', 'result=passed']) {
    for (const result of ['stopped', 'failed'] as const) {
      const steps = walk(PLAN, { [step]: { kind: 'stopped', result } })
      assert.equal(steps.slice(-2), [step, `=> ${result}`])
    }
  }
})

test('a lost executor fails the job at once, also one that would have passed', () => {
  assert.equal(walk(PLAN, { c1: { kind: 'lost' } }).slice(-2), ['c1', '=> failed'])
  assert.equal(walk(PLAN, { a1: { kind: 'lost' } }).slice(-2), ['a1', '=> failed'])
})

test('what could not be begun fails the job, and the epilogues go on', () => {
  const undone: Outcome = { kind: 'undone' }

  assert.equal(walk(PLAN, { c1: undone }).slice(-5), [
    ...['result=failed', 'a1', 'a2', 'f1', '=> failed'],
  ])
  assert.equal(walk(PLAN, { 'result=passed': undone }).slice(-5), [
    ...['result=passed', 'a1', 'a2', 'f1', '=> failed'],
  ])
  assert.equal(walk(PLAN, { a1: undone }).slice(-3), ['a1', 'f1', '=> failed'])
  assert.equal(walk(PLAN, { p1: undone }).slice(-2), ['p1', '=> failed'])
})

test('the shell is let end once everything else is done, and changes no result', () => {
  const plan = { ...PLAN, hooks: { postJob: 'post' } }
  const chosen = { c1: failed(130), 'check-result': { kind: 'checked', value: 'passed' } } as const

  for (const outcome of [{ kind: 'passed' } as const, failed()]) {
    const last = ['end-shell', '=> passed']
    assert.equal(walkWhole(plan, { 'end-shell': outcome }).slice(-3), ['post', ...last])
    assert.equal(walkWhole(PLAN, { ...chosen, 'end-shell': outcome }).slice(-2), last)
  }
  assert.equal(walkWhole(plan, { prepare: failed() }), ['prepare', '=> failed'])
  assert.not.ok(walkWhole(plan, { c1: { kind: 'lost' } }).includes('end-shell'))
})

test('hooks run before the commands and after the epilogues; a failing first one fails the job', () => {
  const plan = { ...PLAN, hooks: { preJob: 'pre', postJob: 'post' } }

  assert.equal(walk(plan, {}).slice(2, 5), ['inject', 'pre', 'c1'])
  assert.equal(walk(plan, {}).slice(-2), ['post', '=> passed'])
  assert.equal(walk(plan, { pre: failed() }).slice(3), [
    ...['pre', 'result=failed', 'a1', 'a2', 'f1', 'post', '=> failed'],
  ])
})

test('in a fleet a failing pre-job hook changes nothing, unless it is said to', () => {
  const planFor = (failOnPreJobHookError: boolean) => ({
    ...PLAN,
    hooks: {
      ...{ preJob: 'pre', postJob: 'post' },
      rules: { sourcePreJobHook: false, failOnPreJobHookError },
    },
  })

  assert.equal(walk(planFor(false), { pre: failed(), post: failed() }), walk(planFor(false), {}))
  assert.equal(walk(planFor(true), { pre: failed() }).slice(3), [
    ...['pre', 'result=failed', 'a1', 'a2', 'f1', 'post', '=> failed'],
  ])
  const stopped = { kind: 'stopped', result: 'stopped' } as const
  assert.equal(walk(planFor(false), { pre: stopped }).slice(-2), ['pre', '=> stopped'])
})

test('who keeps going runs every command, and has failed at the end', () => {
  const plan = { ...PLAN, keepsGoing: true }

  assert.equal(walk(plan, { c1: failed() }).slice(3), [
    ...['c1', 'c2', 'result=failed', 'a1', 'a2', 'f1'],
    '=> failed',
  ])
  assert.not.ok(walk(plan, { c1: failed(130) }).includes('c2'), 'a job that stops itself')
})

test.run()

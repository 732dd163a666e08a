/**
 * The next step of a job, and how its outcome changes the job's state (see lib/job/README.md). Pure; the
 * state is plain data.
 *
 * @module
 */

import { hookTitle } from '../events/block-titles.ts'
import type { JobResult } from '../events/event.ts'
import type { Command, JobRequest } from '../request/job-request.ts'
import type { FleetRules } from '../settings/job-config.ts'

export type Phase =
  | 'prepare'
  | 'export'
  | 'inject'
  | 'pre-job-hook'
  | 'commands'
  | 'check-result'
  | 'export-result'
  | 'epilogue-always'
  | 'epilogue-conditional'
  | 'post-job-hook'
  | 'end-shell'
  | 'done'

/** Where a job stands. */
export interface JobState {
  readonly phase: Phase
  /** Next command in the phase's list. */
  readonly index: number
  /** Known once the commands have ended. */
  readonly result?: JobResult | undefined
}

export type Step =
  | { readonly kind: 'prepare' | 'export' | 'inject' | 'check-result' | 'end-shell' }
  | HookStep
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'export-result'; readonly result: JobResult }

export interface HookStep {
  readonly kind: 'hook'
  readonly title: string
  /** A file of this host. */
  readonly path: string
  /** `inline`: its text is a directive of the job; otherwise the command that runs it by its path. */
  readonly style: 'bash' | 'inline' | 'source'
  /** Printed before it runs. */
  readonly warning?: string
}

/** How a step ended. */
export type Outcome =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly exitCode: number }
  /** `SEMAPHORE_JOB_RESULT` as the job left it, after a command ended with 130. */
  | { readonly kind: 'checked'; readonly value: string }
  /** The job was ended early, see StopReason. */
  | { readonly kind: 'stopped'; readonly result: JobResult }
  /** It could not even begin, e.g. because its disk is full; the next one may. */
  | { readonly kind: 'undone' }
  /** The executor can do nothing more, e.g. its engine died. */
  | { readonly kind: 'lost' }

/** Scripts of the host's owner, run in every job (see lib/job/README.md). */
export interface Hooks {
  readonly preJob?: string | undefined
  readonly postJob?: string | undefined
  /** In a fleet: how they run. Elsewhere hooks are sourced, and a failing pre-job hook fails the job. */
  readonly rules?: FleetRules | undefined
}

export type Plan = Pick<
  JobRequest,
  'commands' | 'epilogueAlways' | 'epilogueOnFail' | 'epilogueOnPass'
> & {
  readonly hooks: Hooks
  /** Whether commands run after one that has failed; the job fails in any case. */
  readonly keepsGoing?: boolean | undefined
}

/** A command that exits with this code stops its job. */
const SELF_STOP_EXIT_CODE = 130

export const INITIAL_STATE: JobState = { phase: 'prepare', index: 0 }

/** @returns the step to take; undefined when the job is over and `state.result` is its result */
export function nextStep(plan: Plan, state: JobState): Step | undefined {
  switch (state.phase) {
    case 'prepare':
    case 'export':
    case 'inject':
    case 'check-result':
    case 'end-shell':
      return { kind: state.phase }
    case 'pre-job-hook':
      return preJobHook(plan.hooks)
    case 'post-job-hook':
      return postJobHook(plan.hooks)
    case 'export-result':
      return { kind: 'export-result', result: state.result ?? 'failed' }
    case 'commands':
    case 'epilogue-always':
    case 'epilogue-conditional': {
      const command = commandsOf(plan, state)[state.index]
      return command === undefined ? undefined : { kind: 'command', command }
    }
    case 'done':
      return undefined
  }
}

/** @returns the state after the step that {@link nextStep} gave ended with `outcome` */
export function advance(plan: Plan, state: JobState, outcome: Outcome): JobState {
  return skipEmpty(plan, follow(plan, state, isForgiven(plan, state, outcome) ? PASSED : outcome))
}

const PASSED: Outcome = { kind: 'passed' }

/** Whether the job continues as if the step had passed. */
function isForgiven({ hooks }: Plan, { phase }: JobState, { kind }: Outcome): boolean {
  return (
    phase === 'pre-job-hook' && kind === 'failed' && hooks.rules?.failOnPreJobHookError === false
  )
}

function follow({ keepsGoing = false }: Plan, state: JobState, outcome: Outcome): JobState {
  if (outcome.kind === 'stopped') return { phase: 'done', index: 0, result: outcome.result }
  if (state.phase === 'end-shell') return enter(state, 'done') // whatever the outcome of its trap
  // A failing epilogue does not change the result. One that could not even run does.
  if (outcome.kind === 'lost') return { phase: 'done', index: 0, result: 'failed' }
  if (outcome.kind === 'undone') return onFailed({ ...state, result: state.result && 'failed' }, 1)
  if (outcome.kind === 'checked') {
    return enter({ ...state, result: selfChosenResult(outcome.value) }, 'end-shell')
  }
  if (outcome.kind === 'passed') return onPassed(state)
  const { exitCode } = outcome
  if (keepsGoing && state.phase === 'commands' && exitCode !== SELF_STOP_EXIT_CODE) {
    return { ...onPassed(state), result: 'failed' }
  }
  return onFailed(state, exitCode)
}

function onPassed(state: JobState): JobState {
  switch (state.phase) {
    case 'commands':
    case 'epilogue-always':
    case 'epilogue-conditional':
      return { ...state, index: state.index + 1 }
    default:
      return enter(state, PHASE_AFTER[state.phase])
  }
}

function onFailed(state: JobState, exitCode: number): JobState {
  switch (state.phase) {
    case 'prepare':
      return { phase: 'done', index: 0, result: 'failed' }
    case 'commands':
      return exitCode === SELF_STOP_EXIT_CODE
        ? enter(state, 'check-result')
        : enter({ ...state, result: 'failed' }, 'export-result')
    case 'export':
    case 'inject':
    case 'pre-job-hook':
      return enter({ ...state, result: 'failed' }, 'export-result')
    default:
      return enter(state, PHASE_AFTER[state.phase])
  }
}

/** The phase after each one; for failures see {@link onFailed}. */
const PHASE_AFTER: Readonly<Record<Phase, Phase>> = {
  prepare: 'export',
  export: 'inject',
  inject: 'pre-job-hook',
  'pre-job-hook': 'commands',
  commands: 'export-result',
  'check-result': 'end-shell',
  'export-result': 'epilogue-always',
  'epilogue-always': 'epilogue-conditional',
  'epilogue-conditional': 'post-job-hook',
  'post-job-hook': 'end-shell',
  'end-shell': 'done',
  done: 'done',
}

function enter(state: JobState, phase: Phase): JobState {
  const result = state.result ?? (phase === 'export-result' ? 'passed' : undefined)
  return { phase, index: 0, result }
}

/** Skips hooks that are not configured and lists that are finished. */
function skipEmpty(plan: Plan, state: JobState): JobState {
  let current = state
  while (current.phase !== 'done' && nextStep(plan, current) === undefined) {
    current = enter(current, PHASE_AFTER[current.phase])
  }
  return current
}

function commandsOf(plan: Plan, { phase, result }: JobState): readonly Command[] {
  if (phase === 'commands') return plan.commands
  if (phase === 'epilogue-always') return plan.epilogueAlways
  return result === 'passed' ? plan.epilogueOnPass : plan.epilogueOnFail
}

function preJobHook({ preJob: path, rules }: Hooks): HookStep | undefined {
  if (path === undefined) return undefined
  const step = { kind: 'hook', title: hookTitle('pre'), path } as const
  if (rules === undefined) return { ...step, style: 'inline' }
  const { sourcePreJobHook, failOnPreJobHookError } = rules
  const what = failOnPreJobHookError ? 'fail the job' : 'proceed with the job even'
  return {
    ...step,
    style: sourcePreJobHook ? 'source' : 'bash',
    warning: `The agent is configured to ${what} if the pre-job hook fails.`,
  }
}

function postJobHook({ postJob: path, rules }: Hooks): HookStep | undefined {
  if (path === undefined) return undefined
  const style = rules === undefined ? 'inline' : 'bash'
  return { kind: 'hook', title: hookTitle('post'), path, style }
}

/** What `SEMAPHORE_JOB_RESULT` may say when a job stops itself; anything else means `stopped`. */
export function selfChosenResult(value: string): JobResult {
  return value === 'passed' || value === 'failed' ? value : 'stopped'
}

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type AgentPhase, parseSyncAnswer, react, type SyncState } from '../../../lib/hub/state.ts'

const test = suite('hub: state')

const ANSWERS: readonly (readonly [sent: AgentPhase, answer: object, reaction: object])[] = [
  ['waiting-for-jobs', { action: 'continue' }, { kind: 'none' }],
  ['waiting-for-jobs', { action: 'run-job', job_id: 'b' }, { kind: 'start', jobId: 'b' }],
  ['waiting-for-jobs', { action: 'wait-for-jobs' }, { kind: 'none' }],
  ['waiting-for-jobs', { action: 'stop-job', job_id: 'a' }, { kind: 'none' }],
  ['running-job', { action: 'continue', job_id: null }, { kind: 'none' }],
  ['running-job', { action: 'run-job', job_id: 'a' }, { kind: 'none' }],
  ['running-job', { action: 'stop-job', job_id: 'a' }, { kind: 'stop' }],
  ['starting-job', { action: 'stop-job' }, { kind: 'stop' }],
  ['stopping-job', { action: 'stop-job', job_id: 'a' }, { kind: 'stop' }],
  ['running-job', { action: 'wait-for-jobs' }, { kind: 'abandon' }],
  ['finished-job', { action: 'stop-job', job_id: 'a' }, { kind: 'none' }],
  ['finished-job', { action: 'wait-for-jobs' }, { kind: 'acknowledged' }],
  [
    'finished-job',
    { action: 'shutdown', shutdown_reason: 'job-finished' },
    { kind: 'shutdown', reason: 'JOB_FINISHED' },
  ],
  ...(
    [
      ['idle', 'IDLE'],
      ['requested', 'REQUESTED'],
      ['interrupted', 'INTERRUPTED'],
      ['tired', 'UNKNOWN'],
    ] as const
  ).map(
    ([shutdown_reason, reason]) =>
      [
        'waiting-for-jobs',
        { action: 'shutdown', shutdown_reason },
        { kind: 'shutdown', reason },
      ] as const,
  ),
]

for (const [state, answer, reaction] of ANSWERS) {
  test(`${state}, answered by ${JSON.stringify(answer)}`, () => {
    assert.equal(react(sent(state), parseSyncAnswer(JSON.stringify(answer))), reaction)
  })
}

test('what makes no sense is named, and not followed', () => {
  const strange = [
    react(sent('running-job'), parseSyncAnswer('{"action":"run-job","job_id":"b"}')),
    react(sent('running-job'), parseSyncAnswer('{"action":"stop-job","job_id":"b"}')),
    react(sent('waiting-for-jobs'), parseSyncAnswer('{"action":"run-job"}')),
    react(sent('waiting-for-jobs'), parseSyncAnswer('{"action":"dance"}')),
  ]

  assert.equal(strange, [
    { kind: 'strange', what: 'run-job for b while running a' },
    { kind: 'strange', what: 'stop-job for b while running a' },
    { kind: 'strange', what: 'run-job without a job id' },
    { kind: 'strange', what: 'the unknown action "dance"' },
  ])
})

test('an answer without an action is none; a time that is none is left to the agent', () => {
  for (const text of ['', 'null', '[]', '"continue"', '{}', '{"action":7}', '{"action":""}']) {
    assert.throws(() => parseSyncAnswer(text), /\/sync was answered/, text)
  }
  for (const [value, expected] of [
    ['4000', 4_000],
    ['0', undefined],
    ['-5', undefined],
    ['"soon"', undefined],
    ['1e999', undefined],
  ] as const) {
    const answer = parseSyncAnswer(`{"action":"continue","next_sync_after":${value}}`)
    assert.is(answer.nextSyncAfter, expected, value)
  }
})

function sent(state: AgentPhase): SyncState {
  const job_id = state === 'waiting-for-jobs' ? '' : 'a'
  const job_result = state === 'finished-job' ? 'passed' : ''
  return { state, job_id, job_result, interrupted_at: 0 }
}

test.run()

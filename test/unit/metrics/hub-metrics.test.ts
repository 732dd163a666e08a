import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createHubMetrics } from '../../../lib/metrics/hub-metrics.ts'

const test = suite('metrics: hub')

test('syncs are counted, errors by their status, and each agent has its age', async () => {
  const metrics = createHubMetrics()
  const first = metrics.forAgent('one')
  const second = metrics.forAgent('two')
  first.synced()
  first.synced()
  second.synced()
  first.syncFailed(503)
  first.syncFailed(503)
  second.syncFailed(undefined)

  const text = await metrics.render()
  second.ended()
  const later = await metrics.render()

  assert.match(text, /^agent_syncs_total 3$/m)
  assert.match(text, /^agent_sync_errors_total\{status="503"\} 2$/m)
  assert.match(text, /^agent_sync_errors_total\{status="none"\} 1$/m)
  assert.match(text, /^agent_sync_age_seconds\{agent="one"\} \d/m)
  assert.match(text, /^agent_sync_age_seconds\{agent="two"\} \d/m)
  assert.not.match(later, 'agent="two"')
  assert.match(later, /^agent_syncs_total 3$/m)
})

test('logs are counted while they are pushed, and stay counted when they are over', async () => {
  const metrics = createHubMetrics()
  const agent = metrics.forAgent('one')
  const first = { lag: 3, pushed: { lines: 10, bytes: 1_000 } }
  const second = { lag: 4, pushed: { lines: 1, bytes: 20 } }
  const endFirst = agent.logBegan(first)
  agent.logBegan(second)
  first.pushed = { lines: 12, bytes: 1_200 }
  first.lag = 1

  const during = await metrics.render()
  endFirst()
  endFirst()
  const after = await metrics.render()

  assert.match(during, /^agent_log_lines_pushed_total 13$/m)
  assert.match(during, /^agent_log_bytes_pushed_total 1220$/m)
  assert.match(during, /^agent_log_lag_lines 5$/m)
  assert.match(after, /^agent_log_lines_pushed_total 13$/m)
  assert.match(after, /^agent_log_lag_lines 4$/m)
})

test('the control plane’s own figures are passed on when there are any', async () => {
  const figures = { jobs: { queued: 4, running: 2 }, agents: { idle: 0, occupied: 2 } }

  const text = await createHubMetrics({ askForFigures: async () => figures }).render()
  const without = await createHubMetrics({ askForFigures: async () => undefined }).render()

  assert.match(text, /^control_plane_jobs\{state="queued"\} 4$/m)
  assert.match(text, /^control_plane_agents\{state="idle"\} 0$/m)
  assert.not.match(without, 'control_plane')
})

test.run()

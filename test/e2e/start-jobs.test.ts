/** Jobs of agents that call their control plane, on this host: where they differ from those of `agent serve`. */

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { JobEvent } from '../../lib/events/event.ts'
import { encode } from '../helpers/agent.ts'
import { type Block, blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { ARTIFACT_TOKEN } from '../helpers/hub/artifacts.ts'
import type { HubJob } from '../helpers/hub/jobs.ts'
import { type HubLab, hubSuite } from '../helpers/hub-suite.ts'

const test = hubSuite('start: jobs')

const PRE = 'Running the pre-job hook configured in the agent'
const POST = 'Running the post-job hook configured in the agent'

const variables = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value: encode(value) }))

const commands = (...directives: readonly string[]) =>
  directives.map((directive) => ({ directive }))

function blocksIn({ log }: HubJob): readonly Block[] {
  const lines = log.text.split('\n').filter((line) => line !== '')
  return blocksOf(lines.map((line) => JSON.parse(line) as JobEvent))
}

function blockIn(job: HubJob, directive: string): Block | undefined {
  return blocksIn(job).find((block) => block.directive === directive)
}

async function writeHook({ directory }: HubLab, name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

async function whenOver({ hub }: HubLab): Promise<void> {
  await waitFor(() => hub.jobs.count('finished') === hub.jobs.byId.size, 'all jobs are over')
}

test('hooks run by a bash of their own, and what they come to changes nothing', async (lab) => {
  const pre = await writeHook(lab, 'pre job.sh', 'FROM_HOOK=1; echo "pre $0 $GREETING"; exit 3\n')
  const post = await writeHook(lab, 'post.sh', 'echo "post $SEMAPHORE_JOB_RESULT"; exit 4\n')
  const job = lab.hub.enqueue({
    commands: commands('echo "hook: $FROM_HOOK"'),
    epilogue_always_commands: commands('echo epilogue'),
    env_vars: variables({ GREETING: 'hello' }),
  })

  await lab.start(['--pre-job-hook-path', pre, '--post-job-hook-path', post])
  await whenOver(lab)

  assert.is(job.result, 'passed')
  assert.equal(
    blocksIn(job).map(({ directive }) => directive),
    [
      ...['Exporting environment variables', 'Injecting Files', PRE, 'echo "hook: $FROM_HOOK"'],
      ...['Exporting environment variables', 'echo epilogue', POST],
    ],
  )
  const before = blockIn(job, PRE)
  assert.is(
    before?.output,
    `Running: bash ${pre}\nWarning: The agent is configured to proceed with the job even if the pre-job hook fails.\npre ${pre} hello\n`,
  )
  assert.is(before?.exitCode, 3)
  assert.is(blockIn(job, 'echo "hook: $FROM_HOOK"')?.output, 'hook: \n')
  const after = blockIn(job, POST)
  assert.is(after?.output, `Running: bash ${post}\npost passed\n`)
  assert.is(after?.exitCode, 4)
  assert.equal(lab.hub.violations, [])
})

test('a pre-job hook can be sourced, and fail the job, whose epilogues run', async (lab) => {
  const pre = await writeHook(lab, 'pre.sh', '[ "$MOOD" = good ] && FROM_HOOK=1\n')
  const job = (mood: string) =>
    lab.hub.enqueue({
      commands: commands('echo "hook: $FROM_HOOK"'),
      epilogue_on_fail_commands: commands('echo "epilogue $SEMAPHORE_JOB_RESULT"'),
      env_vars: variables({ MOOD: mood }),
    })
  const [good, bad] = [job('good'), job('bad')]

  await lab.start([
    ...['--pre-job-hook-path', pre, '--source-pre-job-hook', '--fail-on-pre-job-hook-error'],
  ])
  await whenOver(lab)

  assert.is(
    blockIn(good, PRE)?.output,
    `Running: source ${pre}\nWarning: The agent is configured to fail the job if the pre-job hook fails.\n`,
  )
  assert.is(blockIn(good, 'echo "hook: $FROM_HOOK"')?.output, 'hook: 1\n')
  assert.is(good.result, 'passed')
  assert.is(bad.result, 'failed')
  assert.is(blockIn(bad, 'echo "hook: $FROM_HOOK"'), undefined)
  assert.is(blockIn(bad, 'echo "epilogue $SEMAPHORE_JOB_RESULT"')?.output, 'epilogue failed\n')
})

test('the host’s variables count, a new shell has them, and the user’s home stays as it is', async (lab) => {
  const key = encode('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUK nobody')
  const job = lab.hub.enqueue({
    commands: commands('echo "$WHO $OWN $PAIR"; ls -A ~; exit 5'),
    epilogue_always_commands: commands('echo "again $WHO $OWN"; type -t checkout'),
    env_vars: variables({ WHO: 'job', OWN: 'first' }).concat(variables({ OWN: 'second' })),
    ssh_public_keys: [key],
  })
  const absent = lab.hub.enqueue({
    executor: null,
    commands: null,
    files: null,
    compose: null,
    job_name: 'none of it',
  })

  const { directory } = await lab.start([], {
    environment: { SEMAPHORE_AGENT_ENV_VARS: 'WHO=host PAIR=a=b' },
  })
  await whenOver(lab)

  const [first] = blocksIn(job).filter(({ directive }) => directive.startsWith('echo "$WHO'))
  assert.is(first?.output, 'host second a=b\n')
  assert.is(first?.exitCode, 5)
  assert.match(job.log.text, '"output":"again host second\\nfunction\\n"')
  assert.equal(await readdir(join(directory, 'home')), [])
  assert.is(absent.result, 'passed')
})

test('a log token that was refreshed is masked as the first one is', async (lab) => {
  const { hub, directory } = lab
  const path = join(directory, 'token')
  const job = hub.enqueueCommands(
    `until [ -s '${path}' ]; do echo on; sleep 0.1; done; cat '${path}'`,
  )
  await lab.start()
  await waitFor(() => job.log.text.includes('"on\\n'), 'the job runs')

  hub.logs.expireTokens()
  const refreshAt = () =>
    hub.requests.findIndex(({ kind, status }) => kind === 'refresh' && status > 0)
  const isUsed = () =>
    hub.requests.slice(refreshAt()).some(({ kind, status }) => kind === 'log' && status === 200)
  await waitFor(() => refreshAt() >= 0 && isUsed(), 'the log is pushed with the next token')
  const { token } = JSON.parse(hub.requests[refreshAt()]?.answer ?? '') as { token: string }
  await writeFile(path, token)
  await whenOver(lab)

  assert.match(job.log.text, '[secret]')
  assert.not.match(job.log.text, token)
})

test('metrics are served when a port is given, with the control plane’s own', async (lab) => {
  const { hub } = lab
  hub.enqueueCommands('echo one')
  hub.enqueueCommands('false')
  const started = await lab.start([
    ...['--metrics-port', '0', '--control-plane-metrics', '--name', 'measured-agent'],
  ])
  await whenOver(lab)
  const [, url = ''] = /Metrics are at (\S+)/.exec(await started.readOwnLog()) ?? []

  const text = await (await fetch(url)).text()

  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
  assert.match(text, /^agent_jobs_total\{result="passed"\} 1$/m)
  assert.match(text, /^agent_jobs_total\{result="failed"\} 1$/m)
  assert.match(text, /^agent_syncs_total [1-9]\d*$/m)
  assert.match(text, /^agent_sync_age_seconds\{agent="measured-agent"\} /m)
  const lines = [...hub.jobs.byId.values()].reduce((sum, { log }) => sum + log.lineCount, 0)
  assert.match(text, new RegExp(`^agent_log_lines_pushed_total ${lines}$`, 'm'))
  assert.match(text, /^agent_log_lag_lines 0$/m)
  assert.match(text, /^control_plane_jobs\{state="queued"\} 0$/m)
  assert.match(text, /^control_plane_agents\{state="idle"\} 1$/m)
  assert.not.match(text, hub.registrationToken)
})

test('a log is uploaded whole when the control plane had no room for all of it', async (lab) => {
  const { hub } = lab
  const credentials = {
    SEMAPHORE_AGENT_UPLOAD_JOB_LOGS: 'always', // a word for other agents
    SEMAPHORE_ORGANIZATION_URL: hub.url,
    SEMAPHORE_ARTIFACT_TOKEN: ARTIFACT_TOKEN,
  }
  const job = (directive: string) =>
    hub.enqueue({ commands: commands(directive), env_vars: variables(credentials) })
  const small = job('echo small')
  const large = job('for i in {1..3000}; do echo "line $i of the log"; done')
  hub.logs.limits = { ...hub.logs.limits, logBytes: 20_000 }

  const started = await lab.start(['--upload-job-logs', 'when-trimmed'])
  await whenOver(lab)

  assert.is(small.isTrimmed, false)
  assert.is(large.isTrimmed, true)
  assert.equal([...hub.artifacts.stored.keys()], [`artifacts/jobs/${large.id}/agent/job_logs.txt`])
  const [text] = hub.artifacts.stored.values()
  assert.match(String(text), 'line 1 of the log\n')
  assert.match(String(text), 'line 3000 of the log\n')
  assert.equal(hub.violations, [])
  assert.not.match(await started.readOwnLog(), ARTIFACT_TOKEN)
})

test.run()

/** Secrets of a job are in nothing that others read: its log, wherever it goes, and the agent's own. */

import { execFileSync } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import * as assert from 'uvu/assert'
import { encode, runAgent, runJob } from '../helpers/agent.ts'
import { containerJob } from '../helpers/container-job.ts'
import { engineSuite } from '../helpers/engine-suite.ts'
import { blocksOf } from '../helpers/events.ts'
import { waitFor } from '../helpers/host.ts'
import { createJobId } from '../helpers/job-id.ts'
import { followLog, outputIn, type ServedAgent, serveAgent } from '../helpers/served-agent.ts'

const test = engineSuite('masking')

const MARKED = 'marked value 1'
const GUESSED = 'guessed-value-2'
const FILE = 'first line of a file\n}\nsecond line of a file\n'
const ADDED = 'added-value-3'
const CALLBACK = 'callback-token-4'

const SECRETS = {
  env_vars: [
    { name: 'MARKED', value: encode(MARKED), secret: true },
    { name: 'SHORT', value: encode('12345'), secret: true },
    { name: 'MY_TOKEN', value: encode(GUESSED) },
    { name: 'OPEN_KEY', value: encode('not-a-secret'), secret: false },
  ],
  files: [{ path: 'secret-file', content: encode(FILE), secret: true }],
}

const DIRECTIVES: readonly (readonly [directive: string, output: string])[] = [
  ['echo "$MARKED $SHORT $MY_TOKEN $OPEN_KEY"', '[secret] 12345 [secret] not-a-secret\n'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell is to expand it
  ['for (( i = 0; i < 14; i++ )); do printf "${MARKED:i:1}\\e[3${i:0:1}m"; done', '[secret]'],
  ['cat ~/secret-file; head -n 1 ~/secret-file; printf "}\\n"', '[secret]\n[secret]\n}\n'],
  [`printf 'X: %s\\n' "$(printf 'user:%s' "$MY_TOKEN" | base64)"`, 'X: dXNlcjp[secret]\n'],
  [
    'mask "added-value"-3 x; printf added-value; printf "%s\\n" -3',
    'mask: value 2 is not masked: it has fewer than 6 characters\n[secret]\n',
  ],
]

const commands = [
  ...DIRECTIVES.map(([directive]) => ({ directive })),
  { directive: `: ${MARKED}`, alias: `with ${MARKED}` },
]

/** All texts in the archive. */
async function report({ directory }: ServedAgent, id: string): Promise<string> {
  const path = join(directory, 'report.tgz')
  const options = ['--state-dir', join(directory, 'state'), '--output', path]
  const { code, stdout, stderr } = await runAgent(['report', ...options, id])
  assert.is(code, 0, stderr)
  assert.is(stdout, `${path}\n`)
  assert.is((await stat(path)).mode & 0o777, 0o600)
  return execFileSync('tar', ['-xzOf', path], { encoding: 'utf8' })
}

const executors = {
  shell: { ...SECRETS, commands },
  dockercompose: { ...containerJob({}, [], SECRETS), commands },
}

for (const [name, job] of Object.entries(executors)) {
  test(`${name}: what is marked, named or added as a secret is not in the log`, async () => {
    const { events, stdout, stderr, result } = await runJob(job)

    const blocks = blocksOf(events)
    const exporting = blocks.find(({ directive }) => directive.startsWith('Exporting'))
    assert.is(
      exporting?.output,
      'Exporting MARKED\nExporting MY_TOKEN\nExporting OPEN_KEY\nExporting SHORT\n' +
        'SHORT is not masked: it has fewer than 6 characters\n' +
        'secret-file is masked as a whole, but 1 of its 3 lines are not where they stand alone: they are too short or too plain\n',
    )
    for (const [directive, output] of DIRECTIVES) {
      const block = blocks.find((each) => each.directive === directive)
      assert.is(stripVTControlCharacters(block?.output ?? ''), output, directive)
    }
    const aliased = blocks.find(({ directive }) => directive === 'with [secret]')
    assert.is(aliased?.output, 'Running: : [secret]\n')
    assert.is(result, 'passed')
    for (const secret of [MARKED, GUESSED, ADDED]) assert.not.match(stdout + stderr, secret)
  })
}

test('--no-mask-by-name masks only what is marked', async () => {
  const { stdout } = await runJob({ ...SECRETS, commands }, { args: ['--no-mask-by-name'] })

  assert.match(stdout, `[secret] 12345 ${GUESSED} not-a-secret`)
})

test('serve: neither a log, followed, stored or recovered after a crash, nor the log of the agent has a secret', async () => {
  let served = await serveAgent(['--callback-retry-attempts', '1'])
  try {
    const id = createJobId()
    const body = JSON.stringify({
      job_id: id,
      ...SECRETS,
      callbacks: { finished: `http://127.0.0.1:1/${MARKED}`, token: CALLBACK },
      commands: [{ directive: `echo "$MARKED ${CALLBACK}"; printf ${GUESSED}; sleep 1000` }],
    })
    await served.ask('POST', '/jobs', { body })
    const log = async () => (await served.ask('GET', `/jobs/${id}/log`)).text
    await waitFor(
      async () => outputIn(await log()).endsWith('[secret] [secret]\n[secret]'),
      'output',
    )
    const whileRunning = await report(served, id)
    served = await served.killAndRestart()
    await served.ask('POST', '/stop')
    const recovered = await followLog(served, id)
    const { text } = await served.ask('GET', '/agent_logs')
    const afterwards = await report(served, id)
    const unknown = await runAgent(['report', 'unknown-job'])

    const logs = join(served.directory, 'state', 'logs')
    const stored = await Promise.all(
      (await readdir(logs)).map((file) => readFile(join(logs, file), 'utf8')),
    )
    const reports = [whileRunning, afterwards]
    const all = [recovered, text, ...stored, served.agent.stderr, ...reports].join('')
    assert.match(whileRunning, '"state": "running"')
    assert.match(afterwards, '"state": "finished"')
    for (const report of reports) {
      for (const part of ['"name": "MARKED"', '"path": "secret-file"', '"event":"cmd_output"']) {
        assert.match(report, part)
      }
      assert.match(report, /"kernel": .*This machine\n/s)
      assert.not.match(report, encode('12345'))
    }
    assert.is(unknown.code, 2)
    assert.match(
      unknown.stderr,
      /^agent: This user has no running job "unknown-job", .* \[ERR_JOB_NOT_RUNNING\]\n/,
    )
    assert.match(outputIn(recovered), /\[secret\] \[secret\]\n\[secret\]The agent was killed/)
    assert.match(recovered, `printf [secret]; sleep 1000","exit_code":1`)
    for (const secret of [MARKED, GUESSED, CALLBACK]) assert.not.match(all, secret)
  } finally {
    await served.stop()
  }
})

test.run()

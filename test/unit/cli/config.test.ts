import { resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseDuration } from '../../../lib/config.ts'
import { ConfigError } from '../../../lib/errors.ts'
import { loadRunConfig, type ProcessContext } from '../../../lib/settings/run-config.ts'

const test = suite('config')

type Flags = Readonly<Record<string, unknown>>

const onTerminal = (env: NodeJS.ProcessEnv = {}): ProcessContext => ({
  env,
  isRoot: false,
  stdout: { isTTY: true, columns: 120 },
})

const onPipe = (env: NodeJS.ProcessEnv = {}): ProcessContext => ({
  env,
  isRoot: false,
  stdout: {},
})

function complaintAbout(flags: Flags, host = onPipe()): string {
  try {
    loadRunConfig(flags, host)
  } catch (error) {
    assert.instance(error, ConfigError)
    return (error as ConfigError).message
  }
  return ''
}

test('the defaults are those that are documented', () => {
  const config = loadRunConfig({}, onPipe())

  assert.is(config.job.stopGracePeriod, 10_000)
  assert.is(config.job.callbackRetryAttempts, 60)
  assert.is(config.job.dockerSocketPath, '/var/run/docker.sock')
  assert.is(config.columns, 80)
})

test('files of the host are taken from where the agent was started, to an absolute path', () => {
  const { job } = loadRunConfig({ files: 'here/a:/etc/a,/b:/etc/b' }, onPipe())

  assert.equal(job.hostFiles, [
    { source: resolve('here/a'), target: '/etc/a' },
    { source: '/b', target: '/etc/b' },
  ])
  assert.is(
    complaintAbout({ files: '/a:etc/a' }),
    '--files: expected an absolute path in the container, got "etc/a"',
  )
})

test('durations have a unit', () => {
  const durations = ['0s', '500ms', '10s', '1.5s', '2m', '1h'].map((text) =>
    parseDuration('x', text),
  )

  assert.equal(durations, [0, 500, 10_000, 1_500, 120_000, 3_600_000])
  for (const text of ['', '10', 's', '-1s', '1 s', '1d', 'ten seconds']) {
    assert.is(
      complaintAbout({ 'stop-grace-period': text }),
      `--stop-grace-period: expected a duration, got "${text}"`,
    )
  }
})

test('counts are whole numbers of 1 or more', () => {
  assert.is(
    loadRunConfig({ 'callback-retry-attempts': '3' }, onPipe()).job.callbackRetryAttempts,
    3,
  )
  for (const text of ['', '0', '-1', '1.5', '1e3', 'many', '9'.repeat(20)]) {
    assert.is(
      complaintAbout({ 'callback-retry-attempts': text }),
      `--callback-retry-attempts: expected a whole number of 1 or more, got "${text}"`,
    )
  }
})

test('a format is text or json', () => {
  assert.is(loadRunConfig({ format: 'json' }, onPipe()).format, 'json')
  assert.is(complaintAbout({ format: 'xml' }), '--format: expected text or json, got "xml"')
})

test('the engine is on a Unix socket', () => {
  const socketOf = (host: string) =>
    loadRunConfig({}, onPipe({ DOCKER_HOST: host })).job.dockerSocketPath

  assert.is(socketOf(''), '/var/run/docker.sock')
  assert.is(socketOf('unix:///run/user/1000/docker.sock'), '/run/user/1000/docker.sock')
  for (const host of ['tcp://1.2.3.4:2375', 'unix://', 'unix://relative', '/run/docker.sock']) {
    assert.is(
      complaintAbout({}, onPipe({ DOCKER_HOST: host })),
      `DOCKER_HOST: expected unix:///path/to/docker.sock, got "${host}"`,
    )
  }
})

test('colours are for terminals, unless somebody says otherwise', () => {
  const coloursOf = (host: ProcessContext, color = true) => loadRunConfig({ color }, host).colours

  assert.is(coloursOf(onTerminal()), true)
  assert.is(coloursOf(onPipe()), false)
  assert.is(coloursOf(onTerminal(), false), false)
  assert.is(coloursOf(onTerminal({ NO_COLOR: '1' })), false)
  assert.is(coloursOf(onTerminal({ NO_COLOR: '' })), true)
  assert.is(coloursOf(onPipe({ FORCE_COLOR: '1' })), true)
  assert.is(coloursOf(onPipe({ FORCE_COLOR: '1', NO_COLOR: '1' })), false)
  assert.is(coloursOf(onTerminal({ FORCE_COLOR: '0' })), false)
})

test("a job inherits the environment without the agent's own settings", () => {
  const env = { PATH: '/bin', SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: 'x', SEMAPHORE_JOB_ID: '1' }

  const { job } = loadRunConfig({}, onPipe(env))

  assert.equal(job.jobEnvironment, { PATH: '/bin', SEMAPHORE_JOB_ID: '1' })
})

test.run()

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import type { ConfigSources } from '../../../lib/settings/sources.ts'
import { callsControlPlane, loadStartConfig } from '../../../lib/settings/start-config.ts'
import { rejection } from '../../helpers/rejection.ts'

const test = suite<{ directory: string }>('settings: start')

const ID = '5c0bbb53-4e5b-4e3b-9d6f-6b1f0a3c2d11'
const NEEDED = { endpoint: 'ci.example.com', 'token-file': '' }

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'agent-test-'))
  NEEDED['token-file'] = join(t.directory, 'token')
  await writeFile(NEEDED['token-file'], 's1-secret\n', { mode: 0o600 })
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

function load(
  flags: ConfigSources['flags'] = {},
  environment: Record<string, string> = {},
): ReturnType<typeof loadStartConfig> {
  return loadStartConfig({
    flags: { ...NEEDED, ...flags },
    environment: { HOME: '/home/me', ...environment },
    workingDirectory: '/',
    isRoot: false,
  })
}

async function refusal(
  flags: ConfigSources['flags'],
  environment: Record<string, string> = {},
): Promise<ConfigError> {
  const error = await rejection(load(flags, environment))
  assert.instance(error, ConfigError)
  return error as ConfigError
}

test('the defaults are those that are documented', async () => {
  const config = await load()

  assert.is(config.endpoint, 'ci.example.com')
  assert.is(config.token, 's1-secret')
  assert.is(config.noHttps, false)
  assert.is(config.name, undefined)
  assert.is(config.agents, 1)
  assert.is(config.disconnectAfterJob, false)
  assert.is(config.disconnectAfterIdleTimeout, 0)
  assert.is(config.interruptionGracePeriod, 0)
  assert.is(config.logFlushTimeout, 15 * 60_000)
  assert.is(config.uploadJobLogs, 'never')
  assert.is(config.metricsPort, undefined)
  assert.is(config.metricsHost, '127.0.0.1')
  assert.equal(config.stateDirectories, ['/home/me/.local/state/agent'])
  assert.equal(config.job.fleet, { sourcePreJobHook: false, failOnPreJobHookError: false })
  assert.is(config.job.exposeKvmDevice, false)
  assert.equal(config.warnings, [])
})

test('a flag counts more than a variable, a variable more than the file', async (t) => {
  const file = join(t.directory, 'agent.yaml')
  await writeFile(file, 'agents: 3\nname: of-the-file\nlog-level: warn\n')
  const environment = {
    SEMAPHORE_AGENT_CONFIG_FILE: file,
    SEMAPHORE_AGENT_NAME: 'of-the-variable',
    SEMAPHORE_AGENT_AGENTS: '2',
  }

  const config = await load({ agents: '5' }, environment)

  assert.is(config.agents, 5)
  assert.is(config.name, 'of-the-variable')
  assert.is(config.logLevel, 'warn')
})

test('times are durations or a number of seconds', async () => {
  const { disconnectAfterIdleTimeout, interruptionGracePeriod } = await load({
    'disconnect-after-idle-timeout': '300',
    'interruption-grace-period': '2m',
  })

  assert.is(disconnectAfterIdleTimeout, 300_000)
  assert.is(interruptionGracePeriod, 120_000)
})

test('lists in variables are separated by white space or commas; values may have a =', async () => {
  const decode = (config: Awaited<ReturnType<typeof load>>) =>
    config.job.hostVariables.map(({ name, value }) => `${name}=${Buffer.from(value, 'base64')}`)

  const { job, ...rest } = await load(
    {},
    {
      SEMAPHORE_AGENT_ENV_VARS: ' A=1 B=x=y,\n C=  D=2 ',
      SEMAPHORE_AGENT_FILES: '/a:/b\t/c:/d,/e:/f',
    },
  )
  const flags = await load({ 'env-vars': 'A=b=c,D=with a space' })

  assert.equal(decode({ ...rest, job }), ['A=1', 'B=x=y', 'C=', 'D=2'])
  assert.equal(
    job.hostFiles.map(({ source, target }) => `${source}:${target}`),
    ['/a:/b', '/c:/d', '/e:/f'],
  )
  assert.equal(decode(flags), ['A=b=c', 'D=with a space'])
})

for (const [given, endpoint] of [
  ['ci.example.com:8443', 'ci.example.com:8443'],
  ['https://ci.example.com', 'ci.example.com'],
  ['HTTPS://ci.example.com/', 'ci.example.com'],
  ['[::1]:8080', '[::1]:8080'],
  [' localhost:80 ', 'localhost:80'],
] as const) {
  test(`the endpoint "${given}" is taken`, async () => {
    assert.is((await load({ endpoint: given })).endpoint, endpoint)
  })
}

for (const given of [
  'a b',
  'ci.example.com/api',
  'me:pw@ci.example.com',
  'x:99999',
  '[zz]',
  ':1',
]) {
  test(`the endpoint "${given}" is refused, and not shown`, async () => {
    const { message, hint } = await refusal({ endpoint: given })

    assert.is(message, '--endpoint: expected host or host:port')
    assert.not.match(hint, given)
  })
}

test('http:// in front of the endpoint is told when HTTPS is used', async () => {
  const endpoint = 'http://ci.example.com'

  assert.match((await load({ endpoint })).warnings.join(), '--no-https')
  assert.equal((await load({ endpoint, 'no-https': true })).warnings, [])
})

test('several jobs on one host are warned of, once', async () => {
  assert.equal((await load({ agents: '1' })).warnings, [])
  const { warnings } = await load({ agents: '3' })
  assert.is(warnings.length, 1)
  assert.match(warnings[0] ?? '', '3 jobs may run side by side')
})

test('hooks are found whatever directory a job is in', async () => {
  const hooks = ['pre-job-hook-path', 'post-job-hook-path', 'shutdown-hook-path']
  const { job, shutdownHookPath } = await load(
    Object.fromEntries(hooks.map((name) => [name, 'hook.sh'])),
  )

  const path = resolve('hook.sh')
  assert.equal([job.preJobHookPath, job.postJobHookPath, shutdownHookPath], [path, path, path])
})

test('names are what the control plane takes, or a URL that is passed on as it is', async () => {
  const url = 'https://sts.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Signature=hush'

  assert.is((await load({ name: 'build-box_1/a+b' })).name, 'build-box_1/a+b')
  assert.is((await load({ name: url })).name, url)
  assert.is((await load({ name: 'abcdef', agents: '2' })).name, 'abcdef')
  assert.match((await refusal({ name: 'short' })).message, '8 to 80 characters, got 5')
  assert.match((await refusal({ name: 'x'.repeat(81) })).message, 'got 81')
  assert.match((await refusal({ name: 'x'.repeat(79), agents: '10' })).message, 'got 82')
  assert.match((await refusal({ name: 'two words' })).message, '--name: the control plane takes')
  const { message, hint } = await refusal({ name: url, agents: '2' })
  assert.match(message, 'a URL names one agent')
  assert.not.match(message + hint, 'hush')
})

test('a name may come from a variable, unless it is given', async () => {
  const environment = { POD_NAME: 'of-the-pod' }
  const flags = { 'name-from-env': 'POD_NAME' }

  assert.is((await load(flags, environment)).name, 'of-the-pod')
  assert.is((await load({ ...flags, name: 'of-the-flag' }, environment)).name, 'of-the-flag')
  assert.match((await refusal(flags)).message, 'the variable POD_NAME is not set')
  assert.match((await refusal(flags, { POD_NAME: 'x' })).message, 'POD_NAME: expected 8 to 80')
})

test('a job can only be asked for by an agent that runs one', async () => {
  const once = { 'disconnect-after-job': true }

  assert.is((await load({ ...once, 'job-id': ID })).jobId, ID)
  assert.match((await refusal({ 'job-id': ID })).message, '--job-id needs --disconnect-after-job')
  assert.match((await refusal({ ...once, 'job-id': '12' })).message, 'expected a UUID, got "12"')
  assert.match((await refusal({ ...once, 'job-id': ID, agents: '2' })).message, 'about one job')
  assert.match(
    (await refusal({ 'exit-with-job-result': true })).message,
    '--exit-with-job-result needs --disconnect-after-job',
  )
})

test('the token comes from flag, variable, file or credential, and a flag is warned of', async (t) => {
  const none = { 'token-file': undefined }
  const flag = await load({ ...none, token: 's1-flag' }, { SEMAPHORE_AGENT_TOKEN: 's1-variable' })
  await mkdir(join(t.directory, 'credentials'))
  await writeFile(join(t.directory, 'credentials', 'token'), 's1-systemd\n')

  assert.is(flag.token, 's1-flag')
  assert.match(flag.warnings.join(), '--token is visible in ps')
  assert.match(flag.warnings.join(), '--token-file or SEMAPHORE_AGENT_TOKEN')
  assert.not.match(flag.warnings.join(), 's1-flag')
  const variable = await load(none, { SEMAPHORE_AGENT_TOKEN: 's1-variable' })
  assert.is(variable.token, 's1-variable')
  assert.equal(variable.warnings, [])
  const credentials = { CREDENTIALS_DIRECTORY: join(t.directory, 'credentials') }
  assert.is((await load(none, credentials)).token, 's1-systemd')
})

test('a token that is none is refused, and not shown', async (t) => {
  const file = join(t.directory, 'token')
  const of = async (text: string) => {
    await writeFile(file, text)
    return await refusal({})
  }

  for (const text of ['hush hush', 'hush\nhush', 'hüsh']) {
    const { message, hint } = await of(text)
    assert.match(message, 'not a registration token')
    assert.not.match(message + hint, /h.sh/)
  }
  assert.match((await of(' \n')).message, 'is empty')
  assert.match((await refusal({ 'token-file': join(t.directory, 'none') })).message, 'no such file')
})

test('everything that is wrong is told at once, each with its remedy', async (t) => {
  const file = join(t.directory, 'agent.yaml')
  await writeFile(file, 'agents: none\nport: 8000\n')

  const error = await refusal(
    {
      ...{ 'config-file': file, endpoint: undefined, 'token-file': undefined },
      ...{ name: 'x', 'job-id': '1', 'upload-job-logs': 'often' },
    },
    { SEMAPHORE_AGENT_METRICS_PORT: '99999', SEMAPHORE_AGENT_ENV_VARS: 'hush' },
  )

  for (const part of [
    `agents in ${file}: expected a whole number`,
    `port in ${file}: there is no such setting`,
    'needs the endpoint',
    'needs a registration token. Give it with --token-file',
    '--name: expected 8 to 80 characters',
    '--job-id: expected a UUID',
    '--job-id needs --disconnect-after-job',
    '--upload-job-logs: expected never, always or when-trimmed',
    'SEMAPHORE_AGENT_METRICS_PORT: expected a port',
    'SEMAPHORE_AGENT_ENV_VARS: expected NAME=value',
  ]) {
    assert.match(error.message, part)
  }
  assert.not.match(error.message + error.hint, 'hush')
})

test('endpoint and token decide between the two modes, wherever they are given', async (t) => {
  const file = join(t.directory, 'agent.yaml')
  const isCalling = (flags: ConfigSources['flags'], environment = {}) =>
    callsControlPlane({ flags, environment })

  assert.is(await isCalling({ port: '8000' }), false)
  assert.is(await isCalling({ endpoint: 'x' }), true)
  assert.is(await isCalling({ token: 'x' }), true)
  assert.is(await isCalling({}, { SEMAPHORE_AGENT_TOKEN_FILE: 'x' }), true)
  await writeFile(file, 'port: 8000\n')
  assert.is(await isCalling({ 'config-file': file }), false)
  await writeFile(file, 'endpoint: ci.example.com\n')
  assert.is(await isCalling({ 'config-file': file }), true)
})

test.run()

import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigError } from '../../../lib/errors.ts'
import { loadServeConfig } from '../../../lib/settings/serve-config.ts'
import type { ConfigSources } from '../../../lib/settings/sources.ts'

const test = suite<{ directory: string }>('settings: serve')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'agent-test-'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

function load(directory: string, sources: Partial<ConfigSources> = {}) {
  const environment = { HOME: '/home/me', SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: 's' }
  return loadServeConfig({
    flags: {},
    environment,
    workingDirectory: directory,
    isRoot: false,
    ...sources,
  })
}

async function refusal(promise: Promise<unknown>): Promise<ConfigError> {
  const error = await promise.then(
    () => assert.unreachable('expected a refusal'),
    (reason: unknown) => reason,
  )
  assert.instance(error, ConfigError)
  return error as ConfigError
}

test('the defaults are those that are documented', async ({ directory }) => {
  const config = await load(directory)

  assert.is(config.host, '0.0.0.0')
  assert.is(config.port, 8000)
  assert.is(config.bodyLimit, 16 * 1024 * 1024)
  assert.is(config.job.callbackRetryAttempts, 300)
  assert.is(config.job.statsdNamespace, 'agent.prod')
  assert.is(config.job.exposeKvmDevice, true)
  assert.is(config.job.failOnMissingFiles, false)
  assert.is(config.shutdownTimeout, undefined)
  assert.is(config.logFilePath, undefined)
  assert.is(config.certificate, undefined)
  assert.equal(config.stateDirectories, ['/home/me/.local/state/agent'])
})

test('the cache is in the state directory, wherever that is, unless it has a place of its own', async ({
  directory,
}) => {
  const cacheOf = async (flags: ConfigSources['flags'], isRoot = false) =>
    (await load(directory, { flags, isRoot })).job.cache

  const standard = await cacheOf({})
  assert.equal(standard.directories, ['/home/me/.local/state/agent/cache'])
  assert.is(standard.limitBytes, 9 * 2 ** 30)
  assert.equal((await cacheOf({}, true)).directories, [
    '/var/lib/agent/cache',
    '/home/me/.local/state/agent/cache',
  ])
  assert.equal((await cacheOf({ 'state-dir': '/state' })).directories, ['/state/cache'])
  const own = await cacheOf({ 'state-dir': '/state', 'cache-dir': '/cache', 'cache-limit': '1m' })
  assert.equal(own.directories, ['/cache'])
  assert.is(own.limitBytes, 2 ** 20)
})

test('a flag counts more than a variable, a variable more than the file', async ({ directory }) => {
  const file = join(directory, 'agent.yaml')
  await writeFile(file, 'port: 1\nhost: 1.1.1.1\nkept-logs: 7\n')
  const environment = {
    SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: 's',
    SEMAPHORE_AGENT_PORT: '2',
    SEMAPHORE_AGENT_HOST: '2.2.2.2',
    SEMAPHORE_AGENT_CONFIG_FILE: file,
  }

  const config = await load(directory, { flags: { port: '3' }, environment })

  assert.is(config.port, 3)
  assert.is(config.host, '2.2.2.2')
  assert.is(config.keptLogs, 7)
})

test('variables for jobs come with commas only from a file', async ({ directory }) => {
  const file = join(directory, 'agent.yaml')
  await writeFile(file, 'env-vars:\n  A: "1,2=3"\n  B: 5\nfiles: ["/a:/b", "/c d:/e"]\n')

  const config = await load(directory, { flags: { 'config-file': file } })
  const flags = await load(directory, { flags: { 'env-vars': 'X=1,Y=a=b,Z=' } })

  const decode = (all: typeof config.job.hostVariables) =>
    all.map(({ name, value }) => `${name}=${Buffer.from(value, 'base64')}`)
  assert.equal(decode(config.job.hostVariables), ['A=1,2=3', 'B=5'])
  assert.equal(decode(flags.job.hostVariables), ['X=1', 'Y=a=b', 'Z='])
  assert.equal(config.job.hostFiles, [
    { source: '/a', target: '/b' },
    { source: '/c d', target: '/e' },
  ])
})

for (const [name, flags, message] of [
  ['a port beyond 65535', { port: '70000' }, '--port: expected a port, got "70000"'],
  ['a port that is no number', { port: '80a' }, '--port'],
  ['a duration without a unit', { 'shutdown-timeout': '10' }, '--shutdown-timeout'],
  ['a size of nothing', { 'body-limit': '0' }, '--body-limit'],
  [
    'a level nobody knows',
    { 'log-level': 'loud' },
    'expected debug, info, warn or error, got "loud"',
  ],
  ['a switch that is neither', { 'expose-kvm-device': 'yes' }, 'expected true or false'],
  ['a mount without a target', { files: '/a' }, '--files: expected host:dest'],
  ['a mount with options', { files: '/a:/b:ro' }, '--files: expected host:dest, got "/a:/b:ro"'],
] as const) {
  test(`${name} is refused, with the flag in the message`, async ({ directory }) => {
    const error = await refusal(load(directory, { flags }))

    assert.match(error.message, message)
  })
}

test('a file of settings names its key or line at fault, and shows no value', async (t) => {
  const file = join(t.directory, 'agent.yaml')
  const flags = { 'config-file': file }

  await writeFile(file, 'prot: hush-1\n')
  const unknown = await refusal(load(t.directory, { flags }))
  await writeFile(file, 'port: 1\nauth-token-secret: "hush-2\n')
  const broken = await refusal(load(t.directory, { flags }))
  await writeFile(file, 'env-vars: [hush-3]\n')
  const unpaired = await refusal(load(t.directory, { flags }))
  await writeFile(file, 'port: [1, 2]\n')
  const listed = await refusal(load(t.directory, { flags }))

  assert.match(unknown.message, `prot in ${file}`)
  assert.match(broken.message, `${file}:`)
  assert.match(listed.message, 'expected one value')
  for (const { message, hint, cause } of [unknown, broken, unpaired]) {
    assert.not.match(`${message}${hint}${cause}`, 'hush')
  }
})

test('the secret comes from flag, variable, file or credential, in this order', async (t) => {
  const secretFile = join(t.directory, 'secret')
  await writeFile(secretFile, 'from a file\n')
  await mkdir(join(t.directory, 'credentials'))
  await writeFile(join(t.directory, 'credentials', 'auth-token-secret'), 'from systemd')
  const credentials = { CREDENTIALS_DIRECTORY: join(t.directory, 'credentials') }
  const variable = { ...credentials, SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: 'from a variable' }
  const secretOf = async (sources: Partial<ConfigSources>) =>
    (await load(t.directory, sources)).secret

  const flag = { 'auth-token-secret': 'from a flag' }
  assert.is(await secretOf({ flags: flag, environment: variable }), 'from a flag')
  assert.is(await secretOf({ environment: variable }), 'from a variable')
  const pointer = { ...credentials, SEMAPHORE_AGENT_AUTH_TOKEN_SECRET_FILE: secretFile }
  assert.is(await secretOf({ environment: pointer }), 'from a file')
  assert.is(await secretOf({ environment: credentials }), 'from systemd')
})

test('no secret, an empty one, or two at once are refused', async (t) => {
  const empty = join(t.directory, 'empty')
  await writeFile(empty, '\n')
  const environment = {}

  assert.match((await refusal(load(t.directory, { environment }))).message, 'needs the secret')
  for (const flags of [{ 'auth-token-secret': ' ' }, { 'auth-token-secret-file': empty }]) {
    assert.match((await refusal(load(t.directory, { flags, environment }))).message, 'is empty')
  }
  const both = { 'auth-token-secret': 'hush', 'auth-token-secret-file': empty }
  const error = await refusal(load(t.directory, { flags: both, environment }))
  assert.match(error.message, 'cannot be used together')
})

test('jobs inherit neither settings nor credentials; a mistyped setting is told', async (t) => {
  const environment = {
    PATH: '/bin',
    SEMAPHORE_AGENT_AUTH_TOKEN_SECRET: 's',
    SEMAPHORE_AGENT_PROT: '1',
    CREDENTIALS_DIRECTORY: '/nowhere',
  }

  const config = await load(t.directory, { environment })

  assert.equal(config.job.jobEnvironment, { PATH: '/bin' })
  assert.is(config.warnings.length, 1)
  assert.match(config.warnings[0] ?? '', 'SEMAPHORE_AGENT_PROT')
})

test('one half of a certificate in the directory is not silently passed over', async (t) => {
  await writeFile(join(t.directory, 'server.crt'), 'x')

  const { certificate } = await load(t.directory)

  assert.equal(certificate, {
    certPath: join(t.directory, 'server.crt'),
    keyPath: join(t.directory, 'server.key'),
  })
})

test('what looks like a number in the file is what is written there', async ({ directory }) => {
  const file = join(directory, 'agent.yaml')
  const text =
    'auth-token-secret: 0123\nstatsd-namespace: 1.10\nport: 8443\nfail-on-missing-files: True\n'
  await writeFile(file, `${text}env-vars: { VERSION: 1.10, MODE: 0644, FLAG: True, HEX: 0x1F }\n`)

  const flags = { 'config-file': file }
  const config = await load(directory, { flags, environment: { HOME: '/home/me' } })

  assert.is(config.secret, '0123')
  assert.is(config.job.statsdNamespace, '1.10')
  assert.is(config.port, 8443)
  assert.is(config.job.failOnMissingFiles, true)
  assert.equal(
    config.job.hostVariables.map(({ value }) => Buffer.from(value, 'base64').toString()),
    ['1.10', '0644', 'True', '0x1F'],
  )
})

test('a secret that YAML takes for an alias is told, but not shown', async ({ directory }) => {
  const file = join(directory, 'agent.yaml')
  await writeFile(file, 'auth-token-secret: *hunter2\n')

  const { message, hint } = await refusal(load(directory, { flags: { 'config-file': file } }))

  assert.is(message, `${file}: an alias refers to nothing, or to too much`)
  assert.not.match(message + hint, 'hunter2')
})

test('variables come from a file that nobody else may read', async ({ directory }) => {
  const file = join(directory, 'variables')
  const valuesOf = async (flags: ConfigSources['flags']) => {
    const { job } = await load(directory, { flags: { ...flags, 'env-vars-file': file } })
    return job.hostVariables.map(({ name, value }) => `${name}=${Buffer.from(value, 'base64')}`)
  }
  await writeFile(file, '# none\n\nA=1, "2" # 3\r\nEMPTY=\n  \nB_2=x=y', { mode: 0o600 })

  assert.equal(await valuesOf({}), ['A=1, "2" # 3', 'EMPTY=', 'B_2=x=y'])
  assert.equal((await valuesOf({ 'env-vars': 'A=own' })).at(-1), 'A=own') // the last one counts

  for (const mode of [0o640, 0o604, 0o622]) {
    await chmod(file, mode)
    assert.match((await refusal(valuesOf({}))).message, `others may read or change ${file}`)
  }
  await chmod(file, 0o600)
  await writeFile(file, 'A=1\nhunter2\n')
  const { message, hint } = await refusal(valuesOf({}))
  assert.is(message, `--env-vars-file: line 2 of ${file} is not NAME=value`)
  assert.not.match(message + hint, 'hunter2')
})

test('a file of variables that is none is told, and not waited for', async ({ directory }) => {
  const fifo = join(directory, 'fifo')
  execFileSync('mkfifo', ['-m', '600', fifo])
  const refused = (file: string) =>
    refusal(load(directory, { flags: { 'env-vars-file': file } })).then(({ message }) => message)

  assert.match(await refused(fifo), 'cannot be read: it is a pipe')
  assert.match(await refused(join(directory, 'none')), 'cannot be read: there is no such file')
})

test.run()

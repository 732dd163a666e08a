import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { describeProblem, RequestError } from '../../../lib/errors.ts'
import { type ParseOptions, parseJobRequest } from '../../../lib/request/parse-job-request.ts'

const test = suite('request: parse')

/** Every problem of a document, one line each. */
function problemsOf(document: unknown, options?: ParseOptions): string[] {
  try {
    parseJobRequest(document, options)
  } catch (error) {
    assert.instance(error, RequestError)
    return (error as RequestError).problems.map(describeProblem)
  }
  return []
}

const withContainer = (container: object) => ({
  job_id: 'a',
  executor: 'dockercompose',
  compose: { containers: [{ name: 'main', image: 'debian:12', ...container }] },
})

test('a document with nothing but an id is a job without commands, on the host', () => {
  assert.equal(parseJobRequest({ job_id: 'a' }), {
    id: 'a',
    executor: 'shell',
    commands: [],
    epilogueAlways: [],
    epilogueOnPass: [],
    epilogueOnFail: [],
    envVars: [],
    files: [],
    sshPublicKeys: [],
    timeoutInSeconds: undefined,
    noOutputTimeoutInSeconds: undefined,
    compose: undefined,
    callbacks: { finished: undefined, teardownFinished: undefined, token: undefined },
    logger: { method: 'pull', url: undefined, token: undefined, maxSizeInBytes: undefined },
    unknownKeys: [],
  })
})

test('every field arrives, still encoded', () => {
  const request = parseJobRequest({
    job_id: 'a',
    executor: 'dockercompose',
    commands: [{ directive: 'make\nmake check', alias: 'Build' }, { directive: 'true' }],
    epilogue_always_commands: [{ directive: 'always' }],
    epilogue_on_pass_commands: [{ directive: 'pass' }],
    epilogue_on_fail_commands: [{ directive: 'fail' }],
    env_vars: [{ name: 'A', value: 'eA==', secret: true }],
    files: [{ path: '~/a b', content: 'eA==', mode: '+x' }],
    ssh_public_keys: ['c3No'],
    compose: {
      containers: [
        {
          name: 'main',
          image: 'debian:12',
          pull_policy: 'always',
          command: 'sleep 1',
          entrypoint: ['/bin/sh', '-c'],
          user: 'nobody',
          env_vars: [{ name: 'B', value: 'eQ==' }],
          files: [{ path: '/c', content: 'eA==', mode: '' }],
          platform: 'linux/arm64',
          memory: '512m',
          cpus: 0.5,
        },
        { name: 'db', image: 'postgres' },
      ],
      image_pull_credentials: [
        {
          env_vars: [{ name: 'C', value: 'eg==' }],
          files: [{ path: '/tmp/gcr/keyfile.json', content: 'e30=', mode: '0600' }],
        },
      ],
      host_setup_commands: [{ directive: 'uname' }],
    },
    callbacks: { finished: 'http://a/f', teardown_finished: 'https://a/t', token: 'abc' },
    logger: { method: 'push', url: 'https://cp/logs/1', token: 'ey.x', max_size_in_bytes: 1000 },
    timeout_in_seconds: 3600,
    no_output_timeout_in_seconds: 60,
  })

  assert.is(request.executor, 'dockercompose')
  assert.equal(request.commands, [
    { directive: 'make\nmake check', alias: 'Build' },
    { directive: 'true', alias: undefined },
  ])
  assert.is(request.epilogueAlways[0]?.directive, 'always')
  assert.is(request.epilogueOnPass[0]?.directive, 'pass')
  assert.is(request.epilogueOnFail[0]?.directive, 'fail')
  assert.equal(request.envVars, [{ name: 'A', value: 'eA==', secret: true }])
  assert.equal(request.files, [{ path: '~/a b', content: 'eA==', mode: '+x', secret: undefined }])
  assert.equal(request.sshPublicKeys, ['c3No'])
  assert.equal(request.compose, {
    containers: [
      {
        name: 'main',
        image: 'debian:12',
        pullPolicy: 'always',
        command: ['sleep', '1'],
        entrypoint: ['/bin/sh', '-c'],
        user: 'nobody',
        envVars: [{ name: 'B', value: 'eQ==', secret: undefined }],
        files: [{ path: '/c', content: 'eA==', mode: '0644', secret: undefined }],
        platform: 'linux/arm64',
        memoryBytes: 536_870_912,
        cpus: 0.5,
      },
      {
        name: 'db',
        image: 'postgres',
        pullPolicy: 'if-not-present',
        command: undefined,
        entrypoint: undefined,
        user: undefined,
        envVars: [],
        files: [],
        platform: undefined,
        memoryBytes: undefined,
        cpus: undefined,
      },
    ],
    imagePullCredentials: [
      {
        envVars: [{ name: 'C', value: 'eg==', secret: undefined }],
        files: [
          { path: '/tmp/gcr/keyfile.json', content: 'e30=', mode: '0600', secret: undefined },
        ],
      },
    ],
    hostSetupCommands: [{ directive: 'uname', alias: undefined }],
  })
  assert.equal(request.callbacks, {
    finished: 'http://a/f',
    teardownFinished: 'https://a/t',
    token: 'abc',
  })
  assert.equal(request.logger, {
    ...{ method: 'push', url: 'https://cp/logs/1', token: 'ey.x' },
    maxSizeInBytes: 1000,
  })
  assert.is(request.timeoutInSeconds, 3600)
  assert.is(request.noOutputTimeoutInSeconds, 60)
  assert.equal(request.unknownKeys, [])
})

test('older keys mean the same: id, epilogue_commands, file', () => {
  const request = parseJobRequest({
    id: 'old',
    epilogue_commands: [{ directive: 'x' }],
    file: [{ path: 'a', content: '' }],
  })

  assert.is(request.id, 'old')
  assert.is(request.epilogueAlways[0]?.directive, 'x')
  assert.equal(request.files, [{ path: 'a', content: '', mode: '0644', secret: undefined }])
})

test('the key of today wins over the older one', () => {
  const request = parseJobRequest({
    job_id: 'new',
    id: 'old',
    epilogue_always_commands: [{ directive: 'new' }],
    epilogue_commands: [{ directive: 'old' }],
  })

  assert.is(request.id, 'new')
  assert.equal(
    request.epilogueAlways.map(({ directive }) => directive),
    ['new'],
  )
})

test('null and, as clients in Go send it, the empty string count as absent', () => {
  const request = parseJobRequest({
    job_id: '',
    id: 'a',
    executor: '',
    commands: [{ directive: 'x', alias: '' }],
    epilogue_always_commands: null,
    env_vars: null,
    files: [{ path: 'a', content: '', mode: '' }],
    compose: { containers: null, host_setup_commands: null, image_pull_credentials: null },
    callbacks: { finished: '', teardown_finished: null, token: '' },
    logger: { method: '', max_size_in_bytes: 0 },
    timeout_in_seconds: 0,
    no_output_timeout_in_seconds: null,
  })

  assert.is(request.id, 'a')
  assert.is(request.executor, 'shell')
  assert.is(request.commands[0]?.alias, undefined)
  assert.is(request.files[0]?.mode, '0644')
  assert.is(request.callbacks.finished, undefined)
  assert.equal(request.logger, {
    ...{ method: 'pull', url: undefined, token: undefined },
    maxSizeInBytes: undefined,
  })
  assert.is(request.timeoutInSeconds, undefined)
  assert.is(request.noOutputTimeoutInSeconds, undefined)
})

test('an id is required, unless a default is given', () => {
  assert.equal(problemsOf({}), ['job_id: expected a string'])
  assert.equal(problemsOf({ job_id: 3 }, { defaultId: 'd' }), [
    'job_id: expected a string, got a number',
  ])
  assert.is(parseJobRequest({}, { defaultId: 'd' }).id, 'd')
})

test('all problems are told at once, each with its path', () => {
  const document = {
    executor: 'docker',
    commands: [{ directive: 'x' }, { directive: 3 }, {}, null, 'echo'],
    epilogue_on_fail_commands: { directive: 'x' },
    env_vars: [{ name: '', value: 3 }, { value: 'eA==' }],
    files: [
      { path: 'a', content: true, mode: 644 },
      { path: '/a\0b', content: '' },
    ],
    ssh_public_keys: ['a', 1],
    callbacks: { finished: 'ftp://a', teardown_finished: 'nowhere', token: 'a\nb' },
    logger: { max_size_in_bytes: '1k' },
    timeout_in_seconds: '1h',
    no_output_timeout_in_seconds: 0.5,
  }

  assert.equal(problemsOf(document).sort(), [
    'callbacks.finished: expected an http:// or https:// URL',
    'callbacks.teardown_finished: expected an http:// or https:// URL',
    'callbacks.token: expected a token without blanks, line breaks and non-ASCII characters',
    'commands[1].directive: expected a string, got a number',
    'commands[2].directive: expected a string',
    'commands[3]: expected an object, got null',
    'commands[4]: expected an object, got a string',
    'env_vars[0].name: expected the name of a variable, got an empty string',
    'env_vars[0].value: expected a string of base64, got a number',
    'env_vars[1].name: expected the name of a variable',
    'epilogue_on_fail_commands: expected a list, got an object',
    'executor: expected "shell" or "dockercompose", got "docker"',
    'files[0].content: expected a string of base64, got a boolean',
    'files[0].mode: expected a string in quotes, such as "0644", got a number',
    'files[1].path: expected a path, got one with a NUL byte',
    'job_id: expected a string',
    'logger.max_size_in_bytes: expected a number, got a string',
    'no_output_timeout_in_seconds: expected a whole number of seconds, 0 or more, got 0.5',
    'ssh_public_keys[1]: expected a string of base64, got a number',
    'timeout_in_seconds: expected a whole number of seconds, 0 or more, got "1h"',
  ])
})

test('a document that is no object is refused as such', () => {
  const expected = 'expected an object with the fields of a job'
  assert.equal(problemsOf(undefined), [expected])
  assert.equal(problemsOf(null), [`${expected}, got null`])
  assert.equal(problemsOf([]), [`${expected}, got a list`])
  assert.equal(problemsOf('job'), [`${expected}, got a string`])
})

test('the values of secrets are never repeated', () => {
  const secret = 'c2VjcmV0 secret'
  const document = {
    job_id: 'a',
    commands: secret,
    env_vars: [{ name: 'A', value: [secret] }, secret],
    files: [{ path: secret, content: { secret } }],
    callbacks: { token: secret, finished: secret },
  }

  const text = problemsOf(document).join('\n')

  assert.ok(text.length > 0)
  assert.not.match(text, 'secret')
  assert.not.match(text, 'c2Vj')
})

test('content is not judged: it fails in the block that uses it', () => {
  const request = parseJobRequest({
    job_id: 'a',
    env_vars: [{ name: 'not a name', value: '***' }],
    files: [{ path: 'a', content: '***', mode: 'rwx' }],
  })

  assert.is(request.envVars[0]?.value, '***')
  assert.is(request.files[0]?.mode, 'rwx')
})

test('dockercompose needs a container', () => {
  const problem =
    'compose.containers: expected at least one container for the executor "dockercompose"'
  for (const compose of [undefined, null, {}, { containers: null }, { containers: [] }]) {
    assert.equal(problemsOf({ job_id: 'a', executor: 'dockercompose', compose }), [problem])
  }
  assert.equal(problemsOf({ job_id: 'a', executor: 'dockercompose', compose: [] }), [
    'compose: expected an object, got a list',
  ])
})

test('containers need an image, and a name that is a host name and their own', () => {
  const rule =
    'a host name of letters, digits, "-", "_" and ".", the first a letter or digit, up to 63 between two dots and 253 in all'
  const containers = [
    { name: 'main', image: '' },
    { name: 'main', image: 'x' },
    { name: 'a b', image: 'x' },
    { name: 'x'.repeat(64), image: 'x' },
    { image: 'x' },
    { name: '_a', image: 'x' },
    { name: 'a..b', image: 'x' },
    { name: 'a.', image: 'x' },
    { name: 'Main', image: 'x' },
    { name: 'LocalHost', image: 'x' },
    { name: 'ip6-loopback', image: 'x' },
    { name: '127', image: 'x' },
    { name: '0x7F', image: 'x' },
    { name: `a${'-'.repeat(61)}b`, image: 'x' },
    { name: '7a', image: 'x' },
    { name: 'my_db', image: 'x' },
    { name: 'db.local', image: 'x' },
    { name: 'a-._b', image: 'x' },
    { name: `${'x'.repeat(63)}.`.repeat(3) + 'y'.repeat(61), image: 'x' },
    { name: `${'x'.repeat(63)}.`.repeat(3) + 'y'.repeat(62), image: 'x' },
    { name: '10.1.2.0x3', image: 'x' },
    { name: '10.1.2.3.4', image: 'x' },
  ]
  const other = 'a host name that has no other meaning in a container'
  const address = 'a host name that does not look like an address'

  assert.equal(
    problemsOf({ job_id: 'a', executor: 'dockercompose', compose: { containers } }).sort(),
    [
      'compose.containers[0].image: expected the name of an image, got an empty string',
      'compose.containers[1].name: expected a unique name, got the one of compose.containers[0]',
      `compose.containers[2].name: expected ${rule}, got "a b"`,
      `compose.containers[3].name: expected ${rule}, got a string`,
      'compose.containers[4].name: expected a string',
      `compose.containers[5].name: expected ${rule}, got "_a"`,
      `compose.containers[6].name: expected ${rule}, got "a..b"`,
      `compose.containers[7].name: expected ${rule}, got "a."`,
      'compose.containers[8].name: expected a unique name, got the one of compose.containers[0]',
      `compose.containers[9].name: expected ${other}, got "LocalHost"`,
      `compose.containers[10].name: expected ${other}, got "ip6-loopback"`,
      `compose.containers[11].name: expected ${address}, got "127"`,
      `compose.containers[12].name: expected ${address}, got "0x7F"`,
      `compose.containers[19].name: expected ${rule}, got a string`,
      `compose.containers[20].name: expected ${address}, got "10.1.2.0x3"`,
    ].sort(),
  )
})

test('a pull policy is one of three; an empty one is the default', () => {
  const policyOf = (pull_policy: string) =>
    parseJobRequest(withContainer({ pull_policy })).compose?.containers[0]?.pullPolicy

  assert.equal(['', 'always', 'never'].map(policyOf), ['if-not-present', 'always', 'never'])
  assert.equal(problemsOf(withContainer({ pull_policy: 'IfNotPresent' })), [
    'compose.containers[0].pull_policy: expected "if-not-present", "always" or "never", got "IfNotPresent"',
  ])
})

test('limits and the platform of a container are read as people write them', () => {
  const limits = [
    { memory: '512m', cpus: 1.5, platform: 'linux/arm/v7' },
    { memory: '1.5G', cpus: '0.25', platform: 'linux/amd64' },
    { memory: 6_291_456, cpus: 2, platform: '' },
    { memory: '', cpus: 0 },
  ]

  const found = limits.map((limit) => {
    const main = parseJobRequest(withContainer(limit)).compose?.containers[0]
    return [main?.memoryBytes, main?.cpus, main?.platform]
  })

  assert.equal(found, [
    [536_870_912, 1.5, 'linux/arm/v7'],
    [1_610_612_736, 0.25, 'linux/amd64'],
    [6_291_456, 2, undefined],
    [undefined, undefined, undefined],
  ])
})

test('limits no container can have, and what is no platform, are refused', () => {
  const problemWith = (container: object) => problemsOf(withContainer(container))
  const at = 'compose.containers[0]'
  const memory = 'expected an amount of memory of 6m or more, such as "512m" or "2g"'
  const cpus = 'expected a number of processors, such as 2 or 0.5'

  assert.equal(problemWith({ memory: 'much' }), [`${at}.memory: ${memory}, got "much"`])
  assert.equal(problemWith({ memory: '5m' }), [`${at}.memory: ${memory}, got "5m"`])
  assert.equal(problemWith({ memory: -1 }), [`${at}.memory: ${memory}, got -1`])
  assert.equal(problemWith({ memory: ['1g'] }), [`${at}.memory: ${memory}, got a list`])
  assert.equal(problemWith({ cpus: '1/2' }), [`${at}.cpus: ${cpus}, got "1/2"`])
  assert.equal(problemWith({ cpus: 0.001 }), [`${at}.cpus: ${cpus}, got 0.001`])
  assert.equal(problemWith({ cpus: -2 }), [`${at}.cpus: ${cpus}, got -2`])
  assert.equal(problemWith({ platform: 'arm64' }), [
    `${at}.platform: expected a platform such as "linux/arm64", got "arm64"`,
  ])
})

test('an image is wanted for one platform only', () => {
  const containers = [
    { name: 'a', image: 'x' },
    { name: 'b', image: 'x', platform: '' },
    { name: 'c', image: 'x', platform: 'linux/arm64' },
    { name: 'd', image: 'y', platform: 'linux/arm64' },
  ]

  assert.equal(problemsOf({ job_id: 'a', executor: 'dockercompose', compose: { containers } }), [
    'compose.containers[2].platform: expected the platform of compose.containers[0], which has the same image',
  ])
})

test('a command is split into words, and expands nothing', () => {
  const { compose } = parseJobRequest(
    withContainer({ command: `bash -c "a  b" 'it is' $HOME *.c #x`, entrypoint: '' }),
  )

  const [main] = compose?.containers ?? []
  assert.equal(main?.command, ['bash', '-c', 'a  b', 'it is', '$HOME', '*.c', '#x'])
  assert.is(main?.entrypoint, undefined)
})

test('a command with an open quote, or of another type, is refused', () => {
  const open = 'expected a command line, got one that ends within quotes or after a backslash'
  const at = 'compose.containers[0].command'
  assert.equal(problemsOf(withContainer({ command: `echo 'a` })), [`${at}: ${open}`])
  assert.equal(problemsOf(withContainer({ command: 'echo \\' })), [`${at}: ${open}`])
  assert.equal(problemsOf(withContainer({ command: 3 })), [
    `${at}: expected a string or a list of strings, got a number`,
  ])
  assert.equal(problemsOf(withContainer({ command: ['a', 3] })), [
    `${at}[1]: expected a string, got a number`,
  ])
})

test('unknown keys are named, and refuse nothing', () => {
  const { unknownKeys } = parseJobRequest({
    job_id: 'a',
    colour: 'red',
    'with blank': 1,
    commands: [{ directive: 'x' }, { directive: 'x', timeout: 3 }],
    logger: { uri: 'http://a' },
  })

  assert.equal([...unknownKeys].sort(), [
    '["with blank"]',
    'colour',
    'commands[1].timeout',
    'logger.uri',
  ])
})

test('names with a meaning of their own in JavaScript are unknown keys at most', () => {
  const document = JSON.parse('{"job_id":"a","__proto__":{"executor":"x"},"constructor":{}}')

  assert.is(parseJobRequest(document).executor, 'shell')
})

test('a job as a control plane with agents of its own hands it out', () => {
  const request = parseJobRequest({
    job_id: '5c0bbb53-4e5b-4e3b-9d6f-6b1f0a3c2d11',
    job_name: 'Build',
    compose: { containers: [], image_pull_credentials: null, host_setup_commands: null },
    env_vars: [
      { name: 'A', value: 'MQ==' },
      { name: 'A', value: 'Mg==' },
    ],
    files: null,
    ssh_public_keys: [],
    commands: [{ directive: 'make', alias: '' }],
    epilogue_always_commands: null,
    callbacks: { finished: 'https://cp/finished', teardown_finished: 'https://cp/gone' },
    logger: { method: 'push', url: 'https://cp/api/v1/logs/1', token: 'ey.x.y' },
  })

  assert.is(request.executor, 'shell')
  assert.equal(request.commands, [{ directive: 'make', alias: undefined }])
  assert.is(request.envVars.length, 2) // the later one counts when they are exported
  assert.is(request.logger.method, 'push')
  assert.equal(request.unknownKeys, ['job_name'])
})

test.run()

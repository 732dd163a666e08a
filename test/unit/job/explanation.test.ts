/** What a job would do, told from its request, the settings and the images alone. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Explanation, explainJob } from '../../../lib/job/explanation.ts'
import { parseJobRequest } from '../../../lib/request/parse-job-request.ts'
import { loadRunConfig } from '../../../lib/settings/run-config.ts'

const test = suite('job: explanation')

const encode = (text: string) => Buffer.from(text).toString('base64')

const IMAGE = {
  ...{ id: 'x', platform: '', user: '', entrypoint: [], healthCheck: undefined, exposedPorts: [] },
  ...{ digest: 'sha256:1234', variables: ['PATH', 'LANG'] },
}

const JOB = {
  job_id: 'a',
  executor: 'dockercompose',
  compose: {
    containers: [
      { name: 'main', image: 'one', env_vars: [{ name: 'LANG', value: '' }] },
      { name: 'db', image: 'two', pull_policy: 'never' },
    ],
    host_setup_commands: [{ directive: 'prepare' }],
  },
  env_vars: [
    { name: 'API_TOKEN', value: encode('long enough') },
    { name: 'SHORT_KEY', value: encode('short') },
    { name: 'MARKED', value: encode('x'), secret: true },
  ],
  files: [{ path: '~/a', content: encode('12345'), secret: true }],
  commands: [{ directive: 'make' }],
  epilogue_on_fail_commands: [{ directive: 'cat log', alias: 'Log' }],
  comands: [],
}

function explain(job: object, images?: ReadonlyMap<string, typeof IMAGE | undefined>): Explanation {
  const flags = { 'env-vars': 'LANG=C', files: '/a:/b', 'pre-job-hook-path': '/hook' }
  const env = { HOME: '/home/a', DEPLOY_PASSWORD: 'of the host' }
  const { job: config } = loadRunConfig(flags, { env, isRoot: false, stdout: {} })
  return explainJob(parseJobRequest(job), { config, mounts: [], images })
}

test('of two variables with one name the later counts, and the other is told as ignored', () => {
  const { variables, ignored } = explain(JOB, new Map([['one', IMAGE]]))

  assert.equal(variables.map(({ name, from }) => `${name}: ${from}`).sort(), [
    'API_TOKEN: request',
    'LANG: host setting',
    'MARKED: request',
    'PATH: image',
    'SHORT_KEY: request',
  ])
  assert.equal(ignored, [
    'unknown key comands',
    'LANG of the image: replaced by a later one',
    'LANG of the container: replaced by a later one',
  ])
})

test('images are there, are not, or are not known', () => {
  const known = explain(JOB, new Map([['one', IMAGE]]))
  const unknown = explain(JOB)

  assert.equal(known.images, [
    { image: 'one', present: true, digest: 'sha256:1234', pull_policy: 'if-not-present' },
    { image: 'two', present: false, digest: undefined, pull_policy: 'never' },
  ])
  assert.equal(
    unknown.images.map(({ present }) => present),
    [undefined, undefined],
  )
})

test('everything has its place in the order', () => {
  assert.equal(
    explain(JOB).order.map(({ when, what }) => `${when}: ${what}`),
    [
      'first, on the host: prepare',
      'before the commands: /hook',
      'command: make',
      'if failed: Log',
    ],
  )
})

test('what is masked is named, that of the host too', () => {
  assert.equal(explain(JOB).masked, ['API_TOKEN', 'DEPLOY_PASSWORD', 'MARKED', '~/a'])
})

test('on the host there are no containers, no mounts and no network', () => {
  const it = explain({ job_id: 'a', commands: [] })

  assert.is(it.runs_in, 'host')
  assert.equal([it.containers, it.images, it.mounts, it.network], [[], [], [], false])
  assert.equal(it.ignored, ['--files /a: for containers'])
})

test.run()

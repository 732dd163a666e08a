/** What editors check job files with agrees with what the agent checks. */

import { globSync, readFileSync } from 'node:fs'
import { Ajv, type AnySchema } from 'ajv'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DESCRIPTIONS, jobFileSchema, kindOfPath } from '../../../lib/request/json-schema.ts'
import { parseYaml } from '../../../lib/request/yaml.ts'
import { codeBlocks, readPages } from '../../readme/pages.ts'

const schema = jobFileSchema()
const isValid = new Ajv({ allowUnionTypes: true }).compile(schema as AnySchema)

const test = suite('request: JSON Schema')

const GOOD: Readonly<Record<string, unknown>> = {
  'one that is empty': {},
  'one with older names': { id: 'a', epilogue_commands: [{ directive: 'x' }], file: [] },
  'nulls for absent fields': { job_id: null, executor: null, commands: null, compose: null },
  'empty strings, as clients in Go send them': { executor: '', callbacks: { finished: '' } },
  'a command line as a string and as a list': {
    compose: { containers: [{ name: 'a', image: 'b', command: 'x y', entrypoint: ['x', 'y'] }] },
  },
  'amounts as numbers and as strings': {
    compose: { containers: [{ name: 'a', image: 'b', cpus: 2, memory: '2g' }] },
  },
  'a file from beside it': { files: [{ path: 'a', file: './b' }] },
  'files of a container': {
    compose: { containers: [{ name: 'a', image: 'b', files: [{ path: 'a', file: './b' }] }] },
  },
  'the short form': {
    image: 'node:24',
    services: { db: 'postgres:17', cache: { image: 'redis:8', memory: '64m', env: { A: 1 } } },
    env: { CI: true, VERSION: 1.1, GREETING: 'hello' },
    secrets: ['NPM_TOKEN'],
    env_file: '.env',
    files: { '~/.npmrc': { text: 'a=b', mode: '0600' }, '/etc/app.conf': { file: './app.conf' } },
    workdir: '.',
    commands: ['npm ci', { name: 'Test', run: 'npm test' }, { directive: 'x', alias: 'y' }, false],
    always: ['echo done'],
    on_fail: [{ run: true }],
    timeout: '1h20m',
  },
  'services as a list': {
    image: 'a',
    services: [{ name: 'db', image: 'b', files: { '/a': { text: 'x' } } }],
  },
  'containers by the executor and an image': { executor: 'dockercompose', image: 'a' },
  'no files of a container': { compose: { containers: [{ name: 'a', image: 'b', files: null }] } },
}

const BAD: Readonly<Record<string, unknown>> = {
  'a list': [],
  'a slip of the pen': { comands: [] },
  'a slip of the pen in a command': { commands: [{ directiv: 'x' }] },
  'a command without a directive': { commands: [{ alias: 'x' }] },
  'a directive that is a boolean': { commands: [{ directive: false }] },
  'an unknown executor': { executor: 'vm' },
  'containers that are missing': { executor: 'dockercompose' },
  'containers that are none': { executor: 'dockercompose', compose: { containers: [] } },
  'a container without an image': { compose: { containers: [{ name: 'a' }] } },
  'an unknown policy': { compose: { containers: [{ name: 'a', image: 'b', pull_policy: 'x' }] } },
  'a mode that YAML took for a number': { files: [{ path: 'a', content: '', mode: 420 }] },
  'both content and file': { files: [{ path: 'a', content: '', file: 'b' }] },
  'a file of a container without content': {
    compose: { containers: [{ name: 'a', image: 'b', files: [{ path: 'a' }] }] },
  },
  'neither content nor file': { files: [{ path: 'a' }] },
  'a file with both text and content': { files: { '/a': { text: 'x', content: '' } } },
  'a path within a mapping of paths': { files: { '/a': { path: '/a', text: 'x' } } },
  'a slip of the pen in a service': { image: 'a', services: { db: { imag: 'x' } } },
  'a service without an image': { image: 'a', services: { db: { memory: '64m' } } },
  'a value that is a list': { env: { A: ['x'] } },
  'a time without its unit': { timeout: '20' },
  'a command without run': { commands: [{ name: 'x' }] },
  'a variable without a value': { env_vars: [{ name: 'A' }] },
}

for (const [what, document] of Object.entries(GOOD)) {
  test(`takes ${what}`, () => {
    assert.ok(isValid(document), JSON.stringify(isValid.errors))
  })
}

for (const [what, document] of Object.entries(BAD)) {
  test(`refuses ${what}`, () => {
    assert.not.ok(isValid(document))
  })
}

test('takes every example, and every job file of the documentation', () => {
  const examples = globSync('examples/*.yaml').map((path) => readFileSync(path, 'utf8'))
  const blocks = readPages().flatMap((page) => codeBlocks(page, 'yaml'))
  const jobs = [...examples, ...blocks].filter((text) => /^commands:/m.test(text))

  assert.ok(jobs.length > 8)
  for (const text of jobs) {
    assert.ok(isValid(parseYaml(text, 'job')), `${JSON.stringify(isValid.errors)}\n${text}`)
  }
})

test('describes every field, and no other', () => {
  const paths = fieldPaths(schema as Node)

  assert.equal([...new Set(paths.map(kindOfPath))].sort(), Object.keys(DESCRIPTIONS).sort())
})

interface Node {
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
}

function fieldPaths({ properties = {}, items }: Node, at = ''): string[] {
  const fields = Object.entries(properties).map(([key, node]) => {
    return [at === '' ? key : `${at}.${key}`, node] as const
  })
  return [
    ...fields.flatMap(([path, node]) => [path, ...fieldPaths(node, path)]),
    ...(items === undefined ? [] : fieldPaths(items, `${at}[]`)),
  ]
}

test.run()

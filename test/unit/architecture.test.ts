/** The map of rooms in lib/README.md, kept true: who may import whom, and who may name what. */

import { globSync, readFileSync } from 'node:fs'
import { dirname, posix } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findFunctions } from '../helpers/functions.ts'
import { ROWS } from '../readme/rooms.ts'

/** Package → the files that may import it, by how their paths begin. A new package is given its place here. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['lib/cache/s3/'],
  '@hono/node-server': ['lib/http/'],
  '@peculiar/x509': ['lib/tls/'],
  '@smithy/signature-v4': ['lib/aws/'],
  '@valibot/to-json-schema': ['lib/request/json-schema'],
  citty: ['agent.ts', 'lib/cli/'],
  hono: ['lib/http/'],
  'node-statsd': ['lib/metrics/'],
  jose: ['lib/http/', 'lib/log-push/log-token.ts'],
  'reflect-metadata': ['lib/tls/'],
  'prom-client': ['lib/metrics/'],
  shlex: ['lib/request/'],
  ssh2: ['lib/cache/sftp/connection.ts'],
  'string-width': ['lib/cli/'],
  'tar-stream': ['lib/tar/pack.ts'],
  undici: ['lib/docker/client.ts', 'lib/outbound.ts'],
  valibot: ['lib/request/'],
  yaml: ['lib/request/', 'lib/settings/'],
}

/** What belongs to one place of the process, and that place. */
const OWNED: readonly { readonly what: RegExp; readonly by: readonly string[] }[] = [
  { what: /process\.env\b/, by: ['lib/config.ts'] },
  { what: /process\.argv\b/, by: ['agent.ts'] },
  { what: /process\.(exit|exitCode)\b/, by: ['lib/cli/'] },
  { what: /process\.(stdin|stdout|stderr)\b/, by: ['lib/cli/'] },
  { what: /process\.(on|once)\(/, by: ['lib/cli/'] },
  { what: /\bconsole\./, by: [] },
  { what: /\('abort'|AbortSignal\.(any|timeout)\b/, by: ['lib/async/abort.ts'] },
]

interface Source {
  readonly path: string
  /** Without comments, which may name anything. */
  readonly code: string
  readonly imports: readonly string[]
}

/** Beyond these a file has a second subject, and a function a second duty. */
const MAX_FILE_LINES = 300
const MAX_FUNCTION_LINES = 40
const MAX_PARAMETERS = 4

const sources = ['agent.ts', ...globSync('lib/**/*.ts').sort()].map(readSource)

const test = suite('architecture')

test('every room has a place in the map, and no place is empty', () => {
  const rooms = new Set(sources.map(({ path }) => roomOf(path)))

  assert.equal([...rooms].sort(), ROWS.flatMap(Object.keys).sort())
})

test('imports point down', () => {
  const row = (room: string) => ROWS.findIndex((rooms) => Object.hasOwn(rooms, room))
  const upward = sources.flatMap(({ path, imports }) =>
    imports
      .filter((name) => name.startsWith('.'))
      .map((name) => posix.join(dirname(path), name))
      .filter((target) => isSource(target) && roomOf(target) !== roomOf(path))
      .filter((target) => row(roomOf(target)) <= row(roomOf(path)))
      .map((target) => `${path} imports ${target}`),
  )

  assert.equal(upward, [])
})

test('each package is imported by its own room only', () => {
  const strays = sources.flatMap(({ path, imports }) =>
    imports
      .filter((name) => !/^(\.|node:)/.test(name))
      .map(packageOf)
      .filter((name) => !startsWithOneOf(path, PACKAGES[name] ?? []))
      .map((name) => `${path} imports ${name}`),
  )

  assert.equal(strays, [])
})

test('variables, arguments, signals, standard streams, the exit code and aborts have one owner each', () => {
  const strays = OWNED.flatMap(({ what, by }) =>
    sources
      .filter(({ path, code }) => what.test(code) && !startsWithOneOf(path, by))
      .map(({ path }) => `${path} names ${what.source}`),
  )

  assert.equal(strays, [])
})

test('the names of executors are known to their kinds and to the schema only', () => {
  const strays = sources
    .filter(({ path }) => !startsWithOneOf(path, ['lib/executors/', 'lib/request/']))
    .filter(({ code }) => /['"`](shell|dockercompose)['"`]/.test(code))
    .map(({ path }) => path)

  assert.equal(strays, [])
})

test(`no file is longer than ${MAX_FILE_LINES} lines`, () => {
  const long = sources
    .map(({ path }) => ({ path, lines: readFileSync(path, 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > MAX_FILE_LINES)

  assert.equal(long, [])
})

test(`no function has more than ${MAX_FUNCTION_LINES} lines or ${MAX_PARAMETERS} parameters`, () => {
  const functions = sources.flatMap(({ path, code }) =>
    findFunctions(code).map((it) => ({ path, ...it })),
  )
  const large = functions.filter(
    ({ lines, parameters }) => lines > MAX_FUNCTION_LINES || parameters > MAX_PARAMETERS,
  )

  assert.equal(large, [])
  assert.ok(functions.length > 1_000, 'they are found at all')
})

test('Node’s own modules are imported by their full names', () => {
  const bare = sources.flatMap(({ path, imports }) =>
    imports
      .filter((name) => /^(fs|os|path|stream|net|http|https|crypto|child_process)\b/.test(name))
      .map((name) => `${path} imports ${name}`),
  )

  assert.equal(bare, [])
})

function readSource(path: string): Source {
  const text = readFileSync(path, 'utf8')
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
  const found = [
    ...code.matchAll(
      /^(?:import|export|\}).*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm,
    ),
  ]
  return { path, code, imports: found.map(([, ...names]) => names.join('')) }
}

/** `lib/docker/client.ts` → `docker`; `lib/config.ts` → `config.ts`. */
function roomOf(path: string): string {
  return path.replace(/^lib\//, '').split('/')[0] ?? ''
}

/** Not the manifest, and not what the build puts beside it. */
function isSource(path: string): boolean {
  return path === 'agent.ts' || path.startsWith('lib/')
}

function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

function startsWithOneOf(path: string, beginnings: readonly string[]): boolean {
  return beginnings.some((beginning) => path.startsWith(beginning))
}

test.run()

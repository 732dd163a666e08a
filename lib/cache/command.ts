/**
 * `cache …` as a job calls it: which store, which keys, and the texts it prints.
 *
 * @see lib/cache/README.md: commands, texts and exit codes are fixed
 * @module
 */

import { ByteCount, type Waits } from '../async/waits.ts'
import { CacheError, toLine } from '../errors.ts'
import { type ByteString, decodeBytes, encodeBytes } from '../files/byte-string.ts'
import { absolutePath, type JobFiles, md5Of } from './job-files.ts'
import { branchOf, LOCK_FILES, restoreKeys, storeKey } from './lock-files.ts'
import { findMatch } from './match-key.ts'
import { openStore } from './open-store.ts'
import type { CacheStore } from './store.ts'
import type { CacheConfig } from './store-context.ts'
import { placeOf, transferIn, transferOut } from './transfer.ts'

export interface CacheCall {
  /** Of the asking shell, as are its user and group. */
  readonly directory: ByteString
  readonly uid: number
  readonly gid: number
  readonly args: readonly ByteString[]
  /** Those that are not empty. */
  readonly variables: Readonly<Record<string, ByteString>>
  readonly files: JobFiles
  readonly config: CacheConfig
  /** Prints a line, or several, to the client. */
  readonly write: (text: ByteString) => Promise<void>
  readonly signal: AbortSignal
  /** For who looks on. */
  readonly waits?: Waits | undefined
}

/** What the commands work with. */
interface Work extends Omit<CacheCall, 'variables'> {
  readonly variables: Readonly<Record<string, string>>
  readonly store: CacheStore
  /** As {@link CacheCall.write}, of ordinary text. */
  readonly print: (text: string) => Promise<void>
}

/** S3 takes 1,024 for a key and its project together. */
const MAX_KEY_BYTES = 900

type Command = (work: Work, args: readonly string[]) => Promise<number>

const USAGE = `Usage:
  cache store [KEY PATH]
  cache restore [KEY[,KEY...]]
  cache has_key KEY
  cache list
  cache delete KEY
  cache clear
  cache usage
  cache is_not_empty`

/** How many arguments each takes. */
const COMMANDS = new Map<string, readonly [Command, counts: readonly number[]]>([
  ['store', [(work, [key]) => store(work, key, work.args[2]), [0, 2]]],
  ['restore', [(work, [keys]) => restore(work, keys), [0, 1]]],
  ['has_key', [(work, [key]) => hasKey(work, key ?? ''), [1]]],
  ['list', [list, [0]]],
  ['delete', [(work, [key]) => deleteKey(work, key ?? ''), [1]]],
  ['clear', [clear, [0]]],
  ['usage', [usage, [0]]],
  ['is_not_empty', [isNotEmpty, [0]]],
])

/** @returns exit code */
export async function runCache(call: CacheCall): Promise<number> {
  const { write, signal } = call
  const variables = toTexts(call.variables)
  const print = (text: string) => write(encodeBytes(text))
  const onError = variables['CACHE_FAIL_ON_ERROR'] === 'true' ? 1 : 0
  const [name = '', ...args] = call.args.map(decodeBytes)
  const [command, counts] = COMMANDS.get(name) ?? []
  if (command === undefined || !counts?.includes(args.length)) {
    await print(`error: ${describeMisuse(name, args, command !== undefined)}\n${USAGE}`)
    return onError
  }
  let store: CacheStore | undefined
  try {
    store = await openStore({ ...call, variables })
    return await command({ ...call, variables, store, print }, args)
  } catch (error) {
    signal.throwIfAborted()
    await print(`error: ${toLine(error)}`)
    return onError
  } finally {
    await store?.close()
  }
}

function describeMisuse(name: string, args: readonly string[], known: boolean): string {
  if (name === '') return 'a command is missing'
  return known
    ? `cache ${name}: wrong number of arguments (${args.length})`
    : `cache has no command '${name}'`
}

function toTexts(variables: CacheCall['variables']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, decodeBytes(value)]),
  )
}

/** @param path as it came: unlike a key it need not be text */
async function store(work: Work, key?: string, path?: ByteString): Promise<number> {
  if (key !== undefined && path !== undefined) {
    await storePath(work, key, path)
    return 0
  }
  const found = await detect(work)
  if (found.length === 0) await work.print('Nothing to store in cache.')
  for (const { file, prefix, path: place, md5 } of found) {
    await work.print(`Detected ${file}.\nUsing default cache path '${place}'.`)
    await storePath(work, storeKey(prefix, branchOf(work.variables), md5), encodeBytes(place))
  }
  return 0
}

async function storePath(work: Work, rawKey: string, path: ByteString): Promise<void> {
  const { directory, files, print, signal } = work
  const shown = decodeBytes(path)
  if (path === '' || !(await files.exists(placeOf(directory, path), signal))) {
    return await print(`'${shown}' doesn't exist locally.`)
  }
  const key = await normalize(work, rawKey)
  if (await work.store.has(key, signal)) return await print(`Key '${key}' already exists.`)
  await print(`Uploading '${shown}' with cache key '${key}'...`)
  const startedAt = performance.now()
  const count = new ByteCount()
  using _ = work.waits?.begin(() => `Storing ${key}: ${count.describe()}`)
  const bytes = await transferIn({ ...work, count }, key, path)
  if (bytes === undefined) return await print(`Key '${key}' already exists.`)
  await print(`Upload complete. Duration: ${since(startedAt)}. Size: ${humanSize(bytes)}.`)
}

async function restore(work: Work, keys?: string): Promise<number> {
  if (keys !== undefined) {
    await restoreFirst(work, keys.split(','))
    return 0
  }
  const found = await detect(work)
  if (found.length === 0) await work.print('Nothing to restore from cache.')
  for (const { file, prefix, path, md5 } of found) {
    const candidates = restoreKeys(prefix, branchOf(work.variables), md5)
    await work.print(`Detected ${file}.`)
    await work.print(`Fetching '${path}' directory with cache keys '${candidates.join(',')}'...`)
    await restoreFirst(work, candidates)
  }
  return 0
}

async function restoreFirst(work: Work, rawKeys: readonly string[]): Promise<void> {
  const { print, signal } = work
  const given = rawKeys.filter((key) => key !== '')
  if (given.length === 0) throw emptyKey()
  for (const rawKey of given) {
    const key = await normalize(work, rawKey)
    const match = await findKey(work, key)
    const opened = match === undefined ? undefined : await work.store.open(match, signal)
    if (match === undefined || opened === undefined) {
      await print(`MISS: '${key}'.`)
      continue
    }
    await print(`HIT: '${key}', using key '${match}'.`)
    const startedAt = performance.now()
    const count = new ByteCount()
    using _ = work.waits?.begin(() => `Restoring ${match}: ${count.describe(opened.bytes)}`)
    const root = await transferOut(work, count.pass(opened.archive))
    await print(
      `Restored: ${decodeBytes(root)}. Duration: ${since(startedAt)}. Size: ${humanSize(opened.bytes)}.`,
    )
    return
  }
}

/** The key itself, else the newest one that it matches as a regular expression. */
async function findKey({ store, signal }: Work, key: string): Promise<string | undefined> {
  if (await store.has(key, signal)) return key
  const stored = await store.list(signal)
  return await findMatch(
    key,
    stored.map((it) => it.key),
  )
}

async function hasKey(work: Work, rawKey: string): Promise<number> {
  const key = await normalize(work, rawKey)
  const found = await work.store.has(key, work.signal)
  await work.print(`Key '${key}' ${found ? 'exists' : "doesn't exist"} in the cache store.`)
  return found ? 0 : 1
}

async function list({ store, print, signal }: Work): Promise<number> {
  const keys = await store.list(signal)
  if (keys.length === 0) await print('Cache is empty.')
  else await print([formatRow('KEY', 'SIZE', 'STORED AT'), ...keys.map(row)].join('\n'))
  return 0
}

function row({ key, bytes, storedAt }: { key: string; bytes: number; storedAt: number }): string {
  return formatRow(key, humanSize(bytes), new Date(storedAt).toUTCString())
}

function formatRow(key: string, size: string, storedAt: string): string {
  return `${key.padEnd(60)} ${size.padEnd(12)} ${storedAt}`
}

async function deleteKey(work: Work, rawKey: string): Promise<number> {
  const key = await normalize(work, rawKey)
  const found = await work.store.has(key, work.signal)
  if (found) await work.store.delete(key, work.signal)
  await work.print(
    found ? `Key '${key}' is deleted.` : `Key '${key}' doesn't exist in the cache store.`,
  )
  return 0
}

async function clear({ store, print, signal }: Work): Promise<number> {
  await store.clear(signal)
  await print('Deleted all caches.')
  return 0
}

async function usage({ store, print, signal }: Work): Promise<number> {
  const { usedBytes, freeBytes } = await store.usage(signal)
  await print(`FREE SPACE: ${freeBytes === undefined ? '(unlimited)' : humanSize(freeBytes)}`)
  await print(`USED SPACE: ${humanSize(usedBytes)}`)
  return 0
}

async function isNotEmpty({ store, signal }: Work): Promise<number> {
  return (await store.list(signal)).length > 0 ? 0 : 1
}

interface Detected {
  readonly file: string
  readonly prefix: string
  readonly path: string
  readonly md5: string
}

/** Lock files that are there, once for each path they stand for. */
async function detect({ directory, variables, files, signal }: Work): Promise<readonly Detected[]> {
  const home = variables['HOME'] ?? ''
  const found: Detected[] = []
  for (const { file, caches } of LOCK_FILES) {
    const place = absolutePath(directory, encodeBytes(file))
    if (!(await files.exists(place, signal))) continue
    const md5 = await md5Of(files, place, signal)
    for (const { prefix, path } of caches) {
      found.push({ file, prefix, path: path.replace('$HOME', () => home), md5 })
    }
  }
  return found
}

async function normalize({ print }: Work, rawKey: string): Promise<string> {
  const key = rawKey.replaceAll('/', '-')
  if (key === '') throw emptyKey()
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new CacheError(`A key is longer than ${MAX_KEY_BYTES} bytes`, {
      hint: 'Shorten it; a checksum can replace any text.',
    })
  }
  if (key !== rawKey) await print(`Key '${rawKey}' is normalized to '${key}'.`)
  return key
}

function emptyKey(): CacheError {
  return new CacheError('A key is empty', { hint: 'Give it a name.' })
}

function since(startedAt: number): string {
  return `${((performance.now() - startedAt) / 1_000).toFixed(1)}s`
}

const UNITS = ['KB', 'MB', 'GB', 'TB']

function humanSize(bytes: number): string {
  let text = `${bytes}B`
  let value = bytes
  for (const unit of UNITS) {
    if (value < 1_024) break
    value /= 1_024
    text = `${value.toFixed(1)}${unit}`
  }
  return text
}

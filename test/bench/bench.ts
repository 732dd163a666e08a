/**
 * `npm run bench`: the binary against a yardstick measured in the same run, in turn, so that a slow
 * machine slows both. Medians; a ratio at or below its goal is good. Needs what `npm test` sets up.
 * With names of parts, those alone: `npm run bench -- cache`.
 *
 * @module
 */

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { benchCache, benchManyFiles } from './cache.ts'
import { benchFleet } from './fleet.ts'
import { figure, median, RUNS, report } from './report.ts'
import { benchServe } from './serve.ts'

const AGENT = resolve('dist/agent')
const IMAGE = 'agent-test/debian'
const LINE = 'x'.repeat(100)
const LIMIT_MS = 300_000

/** Empty: the login scripts of this machine's user are not what is measured. */
const home = mkdtempSync(join(tmpdir(), 'home-'))

interface Measurement {
  readonly elapsedMs: number
  readonly peakKilobytes: number
}

/** Runs to the end; memory is the highest of the process itself, as the kernel reports it. */
async function measure(
  program: string,
  args: readonly string[],
  input = '',
  from?: string,
): Promise<Measurement> {
  const started = performance.now()
  let since = started
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
    env: { ...process.env, HOME: home },
  })
  child.stdin.on('error', () => undefined) // it may end without reading
  child.stdin.end(input)
  let until = 0
  let peakKilobytes = 0
  child.stdout.on('data', (chunk: Buffer) => {
    peakKilobytes = Math.max(peakKilobytes, readPeak(child.pid ?? 0))
    if (from === undefined) return
    if (since === started && chunk.includes(from)) since = performance.now()
    if (chunk.includes('"job_finished"')) until = performance.now()
  })
  const code = await new Promise<number | null>((done) => child.once('close', done))
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}`)
  return { elapsedMs: (until || performance.now()) - since, peakKilobytes }
}

function readPeak(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
  } catch {
    return 0 // it has ended since
  }
}

const job = (directives: readonly string[], image?: string): string =>
  JSON.stringify({
    ...(image === undefined
      ? {}
      : { executor: 'dockercompose', compose: { containers: [{ name: 'main', image }] } }),
    commands: directives.map((directive) => ({ directive })),
  })

const FILES = Array.from({ length: 5_000 }, (_, i) => ({
  path: `/srv/data/d${i % 500}/f${i}`,
  content: Buffer.from(`content of ${i}\n`).toString('base64'),
}))

/** No commands: from the first file to the end of the job. */
const manyFiles = JSON.stringify({ ...JSON.parse(job([], IMAGE)), files: FILES })

/**
 * The same files, made into a tar beforehand. What counts is the ratio: where ext4 has no journal it
 * uses no inode again for minutes after its deletion, and looks through all of these for each new
 * file. After tests or benches that have deleted a lot, both take five times as long there.
 */
async function copyManyFiles(): Promise<Measurement> {
  const tree = join(home, 'tree')
  for (const { path, content } of FILES) {
    mkdirSync(join(tree, dirname(path)), { recursive: true })
    writeFileSync(join(tree, path), Buffer.from(content, 'base64'))
  }
  await sh(`tar -C ${tree} -cf ${home}/files.tar srv/data; rm -r ${tree}`)
  await sh(`docker create --cidfile ${home}/cid ${IMAGE} true`)
  const copying = await sh(`docker cp - $(cat ${home}/cid):/ < ${home}/files.tar`)
  await sh(`docker rm $(cat ${home}/cid); rm ${home}/cid`)
  return copying
}

const agent = (text: string, from?: string) =>
  measure(AGENT, ['run', '--format', 'json', '-'], text, from)

const flood = (bytes: number) => `yes ${LINE} | head -c ${bytes}`

/** Runs both in turn and compares the medians of their times. */
async function compare(
  name: string,
  goal: number,
  ours: () => Promise<Measurement>,
  yardstick: () => Promise<Measurement>,
  runs = RUNS,
): Promise<void> {
  const pairs: Array<readonly [number, number]> = []
  for (let run = 0; run <= runs; run++) {
    const pair = [(await ours()).elapsedMs, (await yardstick()).elapsedMs] as const
    if (run > 0) pairs.push(pair) // the first warms up
  }
  const [own, other] = [median(pairs.map(([a]) => a)), median(pairs.map(([, b]) => b))]
  report(name, `${own.toFixed(0)} ms : ${other.toFixed(0)} ms`, own / other, goal)
}

const sh = (command: string) => measure('sh', ['-c', command])

/** For output that somebody else counts, as that of the yardstick. */
function jobFile(directives: readonly string[], image?: string): string {
  const path = join(home, 'job.json')
  writeFileSync(path, job(directives, image))
  return path
}

async function benchJobs(): Promise<void> {
  const node = process.execPath
  await compare(
    'agent version / node -e 0',
    1.3,
    () => measure(AGENT, ['version']),
    () => measure(node, ['-e', '0']),
    20,
  )
  await figure(
    'no-op shell job, job_started to job_finished',
    30,
    'ms',
    async () => (await agent(job(['true']), '"job_started"')).elapsedMs,
  )
  await compare(
    'no-op container job / docker run --rm -t … true',
    1.3,
    () => agent(job(['true'], IMAGE), '"job_started"'),
    () => sh(`docker run --rm -t ${IMAGE} bash -c true`),
  )
  await compare(
    '100 MB through a shell job / script | wc -c',
    1.15,
    () => sh(`${AGENT} run --format json ${jobFile([flood(1e8)])} | wc -c`),
    () => sh(`script -qec "bash -c '${flood(1e8)}'" /dev/null | wc -c`),
    3,
  )
  await compare(
    '100 MB through a container job / docker run -t | wc -c',
    1,
    () => sh(`${AGENT} run --format json ${jobFile([flood(1e8)], IMAGE)} | wc -c`),
    () => sh(`docker run --rm -t ${IMAGE} bash -c '${flood(1e8)}' | wc -c`),
    3,
  )
  await figure(
    '5,000 files in 500 directories into a container',
    3_000,
    'ms',
    async () => (await agent(manyFiles, '"Injecting Files"')).elapsedMs,
  )
  await compare(
    'the same / docker cp of their tar',
    1.3,
    () => agent(manyFiles, '"Injecting Files"'),
    copyManyFiles,
  )
  for (const image of [undefined, IMAGE]) {
    const name = `one more directive, ${image === undefined ? 'shell' : 'container'} (of 1,000)`
    await figure(name, image === undefined ? 1 : 1.5, 'ms', async () => {
      const [many, one] = [job(Array<string>(1_001).fill('true'), image), job(['true'], image)]
      const from = '"job_started"'
      return ((await agent(many, from)).elapsedMs - (await agent(one, from)).elapsedMs) / 1_000
    })
  }
  const [small, large] = [await agent(job([flood(1e7)])), await agent(job([flood(1e9)]))]
  const growth = (large.peakKilobytes - small.peakKilobytes) / 1024
  report('peak memory, 1 GB of output over 10 MB of it', `${growth.toFixed(1)} MB more`, growth, 20)
}

/** Of a job with fifty secrets, none of which it prints, over one without. */
async function benchMasking(): Promise<void> {
  const text = job([flood(1e8)])
  const secrets = Array.from({ length: 50 }, (_, i) => ({
    name: `SECRET_${i}`,
    value: Buffer.from(randomBytes(12).toString('hex')).toString('base64'),
    secret: true,
  }))
  const masked = JSON.stringify({ ...JSON.parse(text), env_vars: secrets })
  await compare(
    '100 MB of output with 50 secrets / without',
    1.15,
    () => agent(masked, '"job_started"'),
    () => agent(text, '"job_started"'),
    3,
  )
}

const PARTS: ReadonlyMap<string, () => Promise<void>> = new Map([
  ['jobs', benchJobs],
  ['masking', benchMasking],
  ['serve', benchServe],
  ['fleet', benchFleet],
  ['cache', benchCache],
  ['many-files', benchManyFiles],
])

try {
  const names = process.argv.slice(2)
  for (const name of names.length === 0 ? PARTS.keys() : names) {
    const bench = PARTS.get(name)
    if (bench === undefined) throw new Error(`${name} is none of ${[...PARTS.keys()].join(', ')}`)
    await bench()
  }
} finally {
  rmSync(home, { recursive: true, force: true })
}

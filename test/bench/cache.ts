/**
 * The cache against tar and gzip in the same container: a tree of many small files, and one file of
 * a gigabyte. One round: it takes minutes, most of them gzip's. And 200,000 files on the host.
 *
 * @module
 */

import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describeJob } from '../helpers/in-job.ts'
import { run } from '../setup/run.ts'
import { report } from './report.ts'

/** For gzip, on a slow machine. */
const LIMIT_MS = 1_800_000

const TREE = 'tree of 30,000 files'
const BIG = 'file of 1 GB'

/** `timed NAME COMMAND` prints `NAME: milliseconds`. */
const TIMED = `timed() { local t=$EPOCHREALTIME; eval "$2" >/dev/null || return; echo "$1: $(( (\${EPOCHREALTIME/[.,]} - \${t/[.,]}) / 1000 ))"; }`

const SET_UP = `${TIMED}
cd /work; mkdir tree
for n in {1..9}; do (( $(find tree -type f | wc -l) >= 30000 )) || cp -r /node_modules tree/$n; done
for n in {1..9}; do cat /node_modules/node-linux-*/bin/node; done | head -c 1G >big; sync`

const directivesFor = (path: string): readonly string[] => [
  `timed "tar store" "tar czf it.tgz ${path}"; timed "cache store" "cache store ${path} ${path}"`,
  `stat -c 'tar size: %s' it.tgz`,
  `mkdir tar; cd tar; timed "tar restore" "tar xzf ../it.tgz"; cd ..`,
  `mkdir cache; cd cache; timed "cache restore" "cache restore ${path}"; cd ..`,
]

/**
 * In memory, and nothing is deleted between two figures: before ext4 makes a file it looks at every
 * inode deleted in the last minutes, which takes longer than all that is to be measured here.
 */
const MEMORY = '/dev/shm'

/** The file, what tar makes of it, and both restored. */
const ROOM_BYTES = 5e9

const WORK = hasRoom(MEMORY) ? MEMORY : tmpdir()

function hasRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize > ROOM_BYTES
  } catch {
    return false // there is none
  }
}

export async function benchCache(): Promise<void> {
  const cache = mkdtempSync(join(tmpdir(), 'cache-'))
  try {
    for (const [name, path, goals] of [
      [TREE, 'tree', [0.5, 0.5]],
      [BIG, 'big', [0.2, 0.2]],
    ] as const) {
      const work = mkdtempSync(join(WORK, 'work-'))
      const directives = [SET_UP, ...directivesFor(path), 'cache list', 'rm -r /work/*']
      const files = `${resolve('node_modules')}:/node_modules,${work}:/work`
      const jobFile = join(cache, `${path}.json`)
      writeFileSync(jobFile, JSON.stringify(describeJob('container', directives)))
      const args = ['run', '--files', files, '--cache-dir', join(cache, 'keys'), jobFile]
      const log = await run(resolve('dist/agent'), args, { limitMs: LIMIT_MS }).finally(() =>
        rmSync(work, { recursive: true, force: true }),
      )
      for (const [index, command] of ['store', 'restore'].entries()) {
        const [own, other] = [figureIn(log, `cache ${command}`), figureIn(log, `tar ${command}`)]
        const letter = command === 'store' ? 'c' : 'x'
        report(
          `cache ${command}, ${name} / tar ${letter}zf`,
          `${own} ms : ${other} ms`,
          own / other,
          goals[index] ?? 1,
        )
      }
      const [bytes, gzipped] = [archiveBytes(log, path), figureIn(log, 'tar size')]
      report(
        `archive, ${name} / tar czf`,
        `${mega(bytes)} : ${mega(gzipped)}`,
        bytes / gzipped,
        1.05,
      )
    }
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

const DIRECTORIES = 200
const FILES_EACH = 1_000

/** @throws {Error} when one of them is lost */
export async function benchManyFiles(): Promise<void> {
  const directory = mkdtempSync(join(WORK, 'many-'))
  const files = DIRECTORIES * FILES_EACH
  const directives = [
    `cd ${directory}; for d in {1..${DIRECTORIES}}; do mkdir -p many/$d; for f in {1..${FILES_EACH}}; do echo $f >many/$d/$f; done; done`,
    TIMED,
    'timed "tar" "tar cf it.tar many; rm -r many; tar xf it.tar"; rm it.tar',
    'timed "cache" "cache store k many; rm -r many; cache restore k"; echo "left: $(find many -type f | wc -l)"',
  ]
  try {
    const jobFile = join(directory, 'job.json')
    writeFileSync(jobFile, JSON.stringify(describeJob('host', directives)))
    const args = ['run', '--cache-dir', join(directory, 'keys'), jobFile]
    const log = await run(resolve('dist/agent'), args, { limitMs: LIMIT_MS })
    if (!log.includes(`left: ${files}\n`)) throw new Error(`Files were lost:\n${log}`)
    const [own, other] = ['cache', 'tar'].map((name) => figureIn(log, name))
    const name = `${files.toLocaleString('en')} files stored and restored / tar cf, tar xf`
    report(name, `${own} ms : ${other} ms`, (own ?? 0) / (other ?? 0), 1.2)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function figureIn(log: string, what: string): number {
  return Number(new RegExp(`^${what}: (\\d+)$`, 'm').exec(log)?.[1])
}

const UNITS: Readonly<Record<string, number>> = { KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }

/** As `cache list` shows it. */
function archiveBytes(log: string, key: string): number {
  const [, number, unit = ''] = new RegExp(`^${key} +([\\d.]+)([KMG]B)`, 'm').exec(log) ?? []
  return Number(number) * (UNITS[unit] ?? 1)
}

function mega(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

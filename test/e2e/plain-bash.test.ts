/**
 * A job's shell against plain bash, by sequences of directives made up at random: they have to print the
 * same and to end the same. `SEQUENCES=5000` tries more of them, `FIRST_SEQUENCE=17` others.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { bootScript, SHELL_ARGUMENTS } from '../../lib/shell/boot.ts'
import { createToken } from '../../lib/shell/marks.ts'
import { Session } from '../../lib/shell/session.ts'
import { loadPtyAddon } from '../../lib/terminal/addon.ts'
import { openPty } from '../../lib/terminal/pty.ts'
import { plainScript, type Told } from '../helpers/plain-bash.ts'
import { createSequence } from '../helpers/sequences.ts'

const COUNT = Number(process.env['SEQUENCES'] ?? 60)
const FIRST = Number(process.env['FIRST_SEQUENCE'] ?? 1)
const BASH = process.env['SEQUENCES_BASH'] ?? '/bin/bash'
const LIMIT_MS = 60_000

/** Beside each other; each is two shells that mostly wait for each other. */
const LANES = 3

const test = suite('shell: like plain bash')

interface World {
  readonly home: string
  readonly files: readonly string[]
}

/** For what has to be the same in both. */
async function createWorld(directory: string, texts: readonly string[]): Promise<World> {
  const home = join(directory, 'home')
  await mkdir(home, { recursive: true })
  await writeFile(join(home, '.bash_profile'), '')
  const files = texts.map((_, index) => join(directory, `text-${index}`))
  return { home, files }
}

function start({ home }: World, script: string) {
  return openPty(loadPtyAddon(), {
    file: BASH,
    args: [...SHELL_ARGUMENTS, script],
    environment: { PATH: '/usr/bin:/bin', HOME: home, TERM: 'xterm', LANG: 'C.UTF-8' },
    directory: '/',
  })
}

async function runPlain(directory: string, texts: readonly string[]): Promise<Told[]> {
  const world = await createWorld(directory, texts)
  const script = plainScript(world.files)
  for (const [index, file] of world.files.entries()) await writeFile(file, texts[index] ?? '')
  await writeFile(join(directory, 'script'), script.text)
  const terminal = start(world, join(directory, 'script'))
  const chunks: Uint8Array[] = []
  for await (const chunk of terminal.output) chunks.push(Buffer.from(chunk))
  return script.parse(Buffer.concat(chunks).toString(), await terminal.exited)
}

async function runSession(directory: string, texts: readonly string[]): Promise<Told[]> {
  const world = await createWorld(directory, texts)
  const token = createToken()
  const boot = join(directory, 'script')
  await writeFile(boot, bootScript({ token, directory, steps: texts.length }))
  const session = await Session.open(start(world, boot), {
    bootToken: token,
    directory,
    signal: AbortSignal.timeout(LIMIT_MS),
    onOutput: () => undefined,
    readyTimeoutMs: LIMIT_MS,
  })
  const told: Told[] = []
  for (const [index, file] of world.files.entries()) {
    const chunks: Uint8Array[] = []
    await writeFile(file, session.prepare(texts[index] ?? ''))
    const { exitCode, shellExited } = await session.run(file, (bytes) => {
      chunks.push(Buffer.from(bytes))
    })
    const output = Buffer.concat(chunks).toString()
    told.push({ output, status: exitCode, isLast: shellExited })
    if (shellExited) break
  }
  session.close()
  return told
}

/** As a table that two of them can be compared by. */
function show(texts: readonly string[], told: readonly Told[], directory: string): string {
  return told
    .map(({ output, status, isLast }, index) => {
      const said = output.replaceAll(directory, 'DIRECTORY').replaceAll('\r\n', '\n')
      return `${texts[index]}\n--- ${status}${isLast ? ', the end of the shell' : ''}\n${said}===`
    })
    .join('\n')
}

async function compare(seed: number): Promise<void> {
  const texts = createSequence(seed)
  const directory = await mkdtemp(join(tmpdir(), 'plain-'))
  const [plain, own] = [join(directory, 'a'), join(directory, 'b')]
  try {
    const expected = show(texts, await runPlain(plain, texts), plain)
    const actual = show(texts, await runSession(own, texts), own)
    assert.is(actual, expected, `sequence ${seed}`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test(`${COUNT} sequences print the same and end the same`, async () => {
  let next = FIRST
  const lane = async () => {
    while (next < FIRST + COUNT) await compare(next++)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
})

test.run()

/** Every file in examples/ does what it says it shows. */

import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Exit, runAgent } from '../helpers/agent.ts'
import { engineObjects } from '../helpers/engine.ts'
import { createJobId } from '../helpers/job-id.ts'

interface Expectation {
  readonly code: number
  /** In this order in the log. */
  readonly shows: readonly (RegExp | string)[]
  readonly hides?: string
}

const EXPECTED: Readonly<Record<string, Expectation>> = {
  'hello.yaml': {
    code: 0,
    shows: [
      /^Hello from \S+, bash 5/m,
      'Count to three',
      '1, still here in /tmp\n2, still here in /tmp\n3, still here in /tmp\n',
      'The job has passed',
    ],
  },
  'epilogues.yaml': {
    code: 1,
    shows: ['Building', '2 of 3 tests passed', 'The job has failed', 'Time to collect the logs'],
    hides: 'Time to publish',
  },
  'files-and-variables.yaml': {
    code: 0,
    shows: [
      'Hello, world\nit\'s $5 each\nand "fresh"',
      '600 /tmp/agent-example/settings.ini\ncolour = blue\nsize = 7\n',
      'Hello, world, says a file that was injected',
    ],
  },
  'containers.yaml': {
    code: 0,
    shows: [
      /In a container of Debian 12\.\d+, for production/,
      'Hello from the greeter',
      'greeter',
    ],
  },
}

/** It needs a server: test/e2e/checkout-and-test.test.ts has one. */
const ELSEWHERE = ['checkout-and-test.yaml']

const test = suite('examples')

test('each is here with what it shows', () => {
  const files = globSync('examples/*.yaml').map((path) => basename(path))

  assert.equal(files.sort(), [...Object.keys(EXPECTED), ...ELSEWHERE].sort())
})

for (const [file, { code, shows, hides }] of Object.entries(EXPECTED)) {
  test(file, async () => {
    const before = await engineObjects()

    const exit = await runExample(file)

    const log = exit.stdout
    assert.is(exit.code, code, `${log}${exit.stderr}`)
    let from = 0
    for (const what of shows) {
      const rest = log.slice(from)
      const at = typeof what === 'string' ? rest.indexOf(what) : rest.search(what)
      assert.ok(at >= 0, `${what} is not in what is left of the log:\n${rest}`)
      from += at
    }
    if (hides !== undefined) assert.not.ok(log.includes(hides))
    assert.equal(await engineObjects(), before)
  })
}

test('the picture in README.md shows what its example prints', async () => {
  const picture = await readFile('examples/containers.svg', 'utf8')
  const { stdout } = await runExample('containers.yaml')

  const shown = linesIn(picture)
  assert.is(shown.shift(), '$ agent run examples/containers.yaml')
  assert.is(shown.pop(), '$')
  assert.equal(shown.map(withoutFigures), stdout.trimEnd().split('\n').map(withoutFigures))
})

/** One character's, in the units of the picture. */
const COLUMN = 12.2

/** What is to be read in a picture of a terminal. */
function linesIn(picture: string): string[] {
  const lines: string[] = []
  const pieces = / x="([\d.]+)" .*url\(#agent-line-(\d+)\)">([^<]+)</g
  for (const [, x, line, content = ''] of picture.matchAll(pieces)) {
    const before = lines[Number(line)] ?? ''
    lines[Number(line)] = before.padEnd(Math.round(Number(x) / COLUMN)) + withoutEntities(content)
  }
  return Array.from(lines, (line = '') => line.trim())
}

const CHARACTERS: Readonly<Record<string, string>> = { amp: '&', gt: '>', lt: '<', quot: '"' }

function withoutEntities(content: string): string {
  return content.replace(/&#?(\w+);/g, (_, name: string) => CHARACTERS[name] ?? ' ')
}

/** Times, addresses, versions and the width of the terminal are others each time. */
function withoutFigures(line: string): string {
  return line
    .replace(/\d[\d.]* m?s\b/g, 'TIME')
    .replace(/\d+(\.\d+)+/, 'FIGURE')
    .replace(/\(cat .*?(?=$| +0 )/, '…')
    .replace(/ +/g, ' ')
    .trim()
}

/** As its first lines say; its images are called what they are called here, its job like no other. */
async function runExample(file: string): Promise<Exit> {
  const text = await readFile(`examples/${file}`, 'utf8')
  if (!text.includes('executor: dockercompose')) {
    return await runAgent(['run', `examples/${file}`], { cwd: process.cwd() })
  }
  const input = text
    .replaceAll('image: debian:12', 'image: agent-test/debian')
    .replace(/^job_id: .*$/m, `job_id: ${createJobId()}`)
  return await runAgent(['run', '-'], { input })
}

test.run()

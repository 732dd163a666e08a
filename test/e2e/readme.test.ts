/** The commands on all pages are there; those that explain the HTTP API do what they say. */

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runAgent } from '../helpers/agent.ts'
import { type ServedAgent, withAgent } from '../helpers/served-agent.ts'
import { codeBlocks, type Page, readPages } from '../readme/pages.ts'

const test = suite('readme: commands')
const LIMIT_MS = 60_000

const pages = readPages()

/** Between the answers of two commands. */
const SEPARATOR = '\n=====\n'

test('every command of the HTTP API is answered as it says', async () => {
  const block = apiBlock()
  const calls = block.match(/^api ".*$/gm) ?? []

  await withAgent(async (served) => {
    const answers = await runBlock(block, served)

    assert.is(answers.length, calls.length)
    const [alive, status, accepted, followed, fromTwo, stopped, metrics, agentLog] = answers
    assert.is(alive, 'yes')
    assert.match(status ?? '', /^\{"state":"waiting-for-job","version":"[\d.]+"\}$/)
    assert.is(accepted, '{"message": "ok"}')
    const events = followed?.trimEnd().split('\n') ?? []
    assert.match(events[0] ?? '', '"job_started"')
    assert.match(followed ?? '', '"output":"hello\\n"')
    assert.match(events.at(-1) ?? '', '"result":"passed"')
    assert.is(fromTwo?.trimEnd(), events.slice(2).join('\n'))
    assert.is(stopped, '')
    assert.match(metrics ?? '', /^# HELP /m)
    assert.match(agentLog ?? '', / info /)
  })
})

test('every call of the agent has a command and options that there are', async () => {
  const helps = new Map<string, string>()
  const calls = pages.flatMap(agentCalls)

  assert.ok(calls.length > 40)
  for (const [command = '', ...words] of calls) {
    const help = helps.get(command) ?? (await runAgent([command, '--help'])).stdout
    helps.set(command, help)
    assert.match(help, `Usage: agent ${command}`)
    const options = words.map((word) => word.split('=')[0] ?? '').filter(isOption)
    for (const option of options) {
      assert.match(`${help} --help`, new RegExp(` ${option}(?![\\w-])`), `agent ${command}`)
    }
  }
})

test('every script of npm is there', async () => {
  const text = pages.map((page) => page.text).join('')
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'))

  const names = [...text.matchAll(/\bnpm (?:run )?(test|(?<=run )[\w:-]+)/g)].map(
    ([, name]) => name,
  )
  assert.ok(names.length > 5)
  assert.equal(
    names.filter((name = '') => !(name in scripts)),
    [],
  )
})

/** The words behind `agent`, of each call in a block of shell or in a sentence. */
function agentCalls(page: Page): string[][] {
  const blocks = codeBlocks(page, 'bash')
  const spans = [...page.text.matchAll(/`([^`\n]*\bagent [^`\n]*)`/g)].map(([, text = '']) => text)
  return [...blocks, ...spans]
    .flatMap((text) => [
      ...text.matchAll(/(?:^|[`;|&] ?|sudo (?:-u \S+ )?)agent ([a-z][^#\n|;&>]*)/gm),
    ])
    .map(([, words = '']) => words.trim().split(/\s+/))
    .map((words) => (words.includes('--') ? words.slice(0, words.indexOf('--')) : words))
}

function isOption(word: string): boolean {
  return word.startsWith('--')
}

function apiBlock(): string {
  const [block] = pages
    .flatMap((page) => codeBlocks(page, 'bash'))
    .filter((text) => text.includes('api() {'))
  assert.ok(block)
  return block
}

/** As it is written, but for where this agent is and what belongs to it. */
async function runBlock(block: string, served: ServedAgent): Promise<string[]> {
  const given = {
    AGENT: `https://localhost:${served.port}`,
    SECRET: join(served.directory, 'secret'),
    CERTIFICATE: join(served.directory, 'state', 'server.crt'),
  }
  let script = block.replace(/^api ".*$/gm, `$&\nprintf '${SEPARATOR.replaceAll('\n', '\\n')}'`)
  for (const [name, value] of Object.entries(given)) {
    assert.match(script, new RegExp(`^${name}=`, 'm'))
    script = script.replace(new RegExp(`^${name}=\\S+`, 'm'), `${name}=${value}`)
  }
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
    timeout: LIMIT_MS,
  })
  return stdout.split(SEPARATOR).slice(0, -1)
}

test.run()

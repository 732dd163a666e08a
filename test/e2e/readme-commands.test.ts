/** Every command of the documentation is tried: here as it is written, or by the test it names. */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { codeBlocks, readPages } from '../readme/pages.ts'

const LIMIT_MS = 60_000

/** How a command begins, and where it is tried. */
const TRIED: readonly (readonly [RegExp, string])[] = [
  [/^agent (run|schema|doctor|man-page|install --dry-run)\b(?! --hold)/, 'e2e/readme-commands'],
  [/^agent run (--from|--only|--env|--image|-- )|^agent (init|explain)\b/, 'e2e/short-form'],
  [/^source <\(agent completion bash\)/, 'e2e/readme-commands'],
  [/^npm run quickstart|^npm (run )?test\b|^npm run (build|readme|bench)/, 'e2e/readme'],
  [/^(AGENT_DOWNLOAD_URL=\S+ )?npm run release/, 'e2e/release'],
  [/^curl -fsSL "\$AGENT_DOWNLOAD_URL\/install.sh" \| sh/, 'e2e/install'],
  [/^install -m 0755 dist\/agent/, 'e2e/install'],
  [/^\(umask 077; openssl rand|^agent serve --auth-token-secret-file/, 'e2e/serve-settings'],
  [/^agent start --endpoint/, 'e2e/start-life'],
  [/^sudo agent (un)?install|^systemctl status agent; journalctl/, 'e2e/service'],
  [/^agent report\b/, 'e2e/masking'],
  [/^agent attach|^agent run --hold/, 'e2e/attach'],
  [/^ssh -t ci@runner bash \/tmp\/ssh_jump_point/, 'e2e/jump-point'],
]

const pages = readPages()
const blocks = pages.flatMap((page) => codeBlocks(page, 'bash'))

const test = suite('readme: every command')

test('each is tried somewhere', () => {
  const lines = blocks
    .filter((block) => !block.includes('api() {')) // e2e/readme.test.ts
    .flatMap((block) => block.split('\n'))
    .filter((line) => line !== '')

  assert.ok(lines.length > 30)
  assert.equal(
    lines.filter((line) => !TRIED.some(([start]) => start.test(line))),
    [],
  )
  for (const [, file] of TRIED) assert.ok(existsSync(`test/${file}.test.ts`), file)
})

test('the first job runs in all the ways that are shown', async () => {
  const [job = ''] = pages.flatMap((page) => codeBlocks(page, 'yaml'))
  const here = job.replace('image: debian:12', 'image: agent-test/debian')

  const { stdout } = await runBlock('agent run job.yaml  ', { 'job.yaml': here })

  assert.is(stdout.match(/^hello from \/workdir/gm)?.length, 2, stdout)
  assert.match(stdout, /^\{"event":"cmd_output".*hello from \/workdir\\n"\}$/m)
  assert.is(stdout.match(/The job has passed/g)?.length, 3)
  assert.match(stdout, '"directive": "echo \\"$GREETING from $FROM\\""')
})

test('the schema is printed where the job file looks for it', async () => {
  const [, path = ''] =
    /\$schema=\.\/(\S+)/.exec(await readFile('lib/request/README.md', 'utf8')) ?? []

  const { files } = await runBlock('agent schema > ', {}, path)

  assert.is(JSON.parse(files).$schema, 'http://json-schema.org/draft-07/schema#')
})

test('what only looks and prints does so', async () => {
  const { stdout } = await runScript(
    `agent install --dry-run; agent man-page; source <(agent completion bash); complete -p agent
     agent doctor || [ $? = 1 ]`,
  )

  for (const text of ['ExecStart=', '.TH AGENT', 'complete ', 'bash']) assert.match(stdout, text)
})

interface Outcome {
  readonly stdout: string
  /** Of the file that was asked for. */
  readonly files: string
}

/** The whole block that begins like this, as it is written. */
async function runBlock(
  start: string,
  files: Readonly<Record<string, string>>,
  result?: string,
): Promise<Outcome> {
  const block = blocks.find((text) => text.startsWith(start))
  assert.ok(block, start)
  return await runScript(block, files, result)
}

async function runScript(
  script: string,
  files: Readonly<Record<string, string>> = {},
  result?: string,
): Promise<Outcome> {
  const cwd = await mkdtemp(join(tmpdir(), 'readme-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text)
    const environment = { HOME: cwd, PATH: `${resolve('dist')}:${process.env['PATH']}` }
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd,
      env: environment,
      timeout: LIMIT_MS,
      maxBuffer: 10_000_000,
    })
    return { stdout, files: result === undefined ? '' : await readFile(join(cwd, result), 'utf8') }
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}

test.run()

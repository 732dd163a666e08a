/**
 * Takes the picture in README.md: somebody types `agent run examples/containers.yaml` on a real
 * terminal, and what is seen then, drawn as SVG by Python's `rich`. Run by hand, on a machine that
 * `npm test` has set up, after `npm run build`: `npm run picture`.
 *
 * @module
 */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { run } from '../setup/run.ts'
import { animate } from './animate.ts'
import { record } from './recording.ts'

const TOOL = 'rich==15.0.0'
const COLUMNS = 84
const EXAMPLE = 'examples/containers.yaml'
const PICTURE = 'examples/containers.svg'
const LIMIT_MS = 120_000

/** Arguments: the recording, the picture, the width, the title. */
const DRAW = `
import re, sys
from rich.console import Console
from rich.text import Text
recording, picture, columns, title = sys.argv[1:]
console = Console(record=True, width=int(columns), file=open('/dev/null', 'w'))
with open(recording, encoding='utf-8', newline='') as text:
    console.print(Text.from_ansi(text.read().replace('\\r\\n', '\\n')))
svg = console.export_svg(title=title, unique_id='agent')
with open(picture, 'w', encoding='utf-8') as out:
    out.write(re.sub(r'\\s*@font-face {.*?}', '', svg, flags=re.S)) # a picture fetches nothing
`

async function main(): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'picture-'))
  try {
    const limits = { limitMs: LIMIT_MS }
    await run('virtualenv', ['--quiet', '--python', '/usr/bin/python3', work], limits)
    await run(join(work, 'bin', 'pip'), ['install', '--quiet', TOOL], limits)
    const recording = await record({
      command: `agent run ${EXAMPLE}`,
      directory: await copyExample(work),
      programs: resolve('dist'),
      columns: COLUMNS,
    })
    const text = join(work, 'recording')
    await writeFile(text, recording.text)
    const still = join(work, 'still.svg')
    const words = [text, still, `${COLUMNS}`, 'agent']
    await run(join(work, 'bin', 'python'), ['-c', DRAW, ...words], limits)
    await writeFile(PICTURE, animate(await readFile(still, 'utf8'), recording))
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Its image is called what it is called here: the tests' own Debian 12. */
async function copyExample(work: string): Promise<string> {
  await mkdir(join(work, 'examples'))
  const text = await readFile(EXAMPLE, 'utf8')
  const here = text.replaceAll('image: debian:12', 'image: agent-test/debian')
  await writeFile(join(work, EXAMPLE), here)
  return work
}

await main()

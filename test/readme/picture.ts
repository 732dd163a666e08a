/**
 * Takes the picture in README.md: what `agent run examples/hello.yaml` shows on a real terminal,
 * drawn as SVG by Python's `rich`. Run by hand, after `npm run build`: `npm run picture`.
 *
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../setup/run.ts'

const TOOL = 'rich==15.0.0'
const COLUMNS = '84'
const COMMAND = 'agent run examples/hello.yaml'
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
    const recording = join(work, 'recording')
    const typed = `stty cols ${COLUMNS}; dist/${COMMAND}`
    const environment = { TERM: 'xterm-256color' }
    await writeFile(
      recording,
      await run('script', ['-qec', typed, '/dev/null'], { ...limits, environment }),
    )
    const words = [recording, 'examples/hello.svg', COLUMNS, COMMAND]
    await run(join(work, 'bin', 'python'), ['-c', DRAW, ...words], limits)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

await main()

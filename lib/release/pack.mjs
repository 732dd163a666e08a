/**
 * One executable out of the script, Node and the terminal addon. The same input gives the same
 * bytes, wherever and whenever it is made.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { PACKAGES_ASSET } from './bundle.mjs'
import { findStrip, writeNodeRunner } from './machine.mjs'

const require = createRequire(import.meta.url)

const STRIP_LIMIT_MS = 60_000

/**
 * @param {{ script: string, parts: { node: string, terminal: string }, arch: string, output: string }} options
 *   `script` lies with the packages' one in a directory of its own, in which temporary files are made
 */
export async function pack({ script, parts, arch, output }) {
  // On upgrade of pkg, check: its inside, no part of what it promises; `build` fails without it.
  const { default: sea } = require('@yao-pkg/pkg/lib-es5/sea.js')
  const work = await mkdtemp(`${script}-`)
  const { TMPDIR } = process.env
  const { execPath } = process
  try {
    const node = await stripped(join(parts.node, 'bin', 'node'), arch, work)
    // pkg has a blob made by the process's own Node when none of its targets is for this machine.
    process.execPath = join(work, 'node-runner')
    await writeNodeRunner(process.execPath, node, arch)
    process.env.TMPDIR = work
    await sea(script, {
      nodePath: node,
      useLocalNode: true,
      targets: [{ nodeRange: 'node24', platform: 'linux', arch: 'as-given', output }],
      seaConfig: {
        main: '../../agent.cjs', // of pkg's own directory in ours: it is a part of the blob
        disableExperimentalSEAWarning: true,
        useSnapshot: false,
        useCodeCache: true,
        // A NODE_OPTIONS meant for the host's own Node must not change or break the agent.
        execArgvExtension: 'none',
        // Keeps memory flat under a flood of output: 1 GB of log cost 37 MB more than 10 MB did,
        // now 2 MB.
        execArgv: ['--max-semi-space-size=4'],
        assets: {
          'pty.node': join(parts.terminal, 'pty.node'),
          [PACKAGES_ASSET]: join(dirname(script), PACKAGES_ASSET),
        },
      },
    })
  } finally {
    process.execPath = execPath
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
    await rm(work, { recursive: true, force: true })
  }
}

/** Node without its symbol table: 18 MB less. Without the tool it stays as it is. */
async function stripped(node, arch, work) {
  const copy = join(work, 'node')
  await copyFile(node, copy)
  const strip = findStrip(arch)
  if (strip === undefined) console.warn(`Not stripped: there are no binutils for ${arch} here`)
  else await promisify(execFile)(strip, ['--strip-all', copy], { timeout: STRIP_LIMIT_MS })
  return copy
}

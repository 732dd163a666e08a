/**
 * Binaries that need no library of the host, musl's included in them: for Alpine and the like.
 * Their base is downloaded by pkg from the releases of github.com/yao-pkg/pkg-fetch.
 *
 * @module
 */

import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const require = createRequire(import.meta.url)

const DOWNLOAD_LIMIT_MS = 1_800_000

/**
 * In pkg's classic mode, as its other one has no such base. The terminal addon cannot be loaded by
 * a static program: its jobs on the host get their terminal from the `script` program.
 *
 * @throws {Error} with what pkg said, e.g. that the base cannot be downloaded
 */
export async function packStatic({ script, arch, output }) {
  const pkg = join(dirname(require.resolve('@yao-pkg/pkg/package.json')), 'lib-es5', 'bin.js')
  const target = ['--targets', `node24-linuxstatic-${arch}`, '--output', output]
  const plain = ['--no-bytecode', '--public', '--public-packages', '*']
  const words = [pkg, script, ...target, ...plain, '--options', 'max-semi-space-size=4']
  await promisify(execFile)(process.execPath, words, { timeout: DOWNLOAD_LIMIT_MS }).catch(
    (cause) => {
      const said = `${cause.stdout}${cause.stderr}`.trimEnd().split('\n').slice(-5).join('\n')
      throw new Error(
        `No static binary for ${arch}: --static needs a machine that reaches github.com, where pkg's base binaries are.\n${said}`,
        { cause },
      )
    },
  )
}

/** What the agent uses of packages beyond what they promise is still there: an upgrade may take it away. */

import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadPtyAddon } from '../../../lib/terminal/addon.ts'

const test = suite('private parts of packages')
const require = createRequire(import.meta.url)
const { bundle, PACKAGES_ASSET } = require('../../../lib/release/bundle.mjs')

test("pkg's function that makes an executable takes a script and options", () => {
  const { default: sea } = require('@yao-pkg/pkg/lib-es5/sea.js')

  assert.type(sea, 'function')
  assert.is(sea.length, 2)
})

test("the terminal addon's fork is the one of node-pty", () => {
  assert.type(loadPtyAddon().fork, 'function')
})

test('ssh2 keeps the extensions of a server where the cache looks for them', () => {
  assert.match(readFileSync('node_modules/ssh2/lib/protocol/SFTP.js', 'utf8'), 'this._extensions')
})

test('the bundle has nothing of what is left out, and no way of making buffers that Node warns of', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bundle-'))
  const script = join(directory, 'agent.cjs')
  const files: string[] = await bundle(resolve('.'), script)
  const texts = await Promise.all(
    [script, join(directory, PACKAGES_ASSET)].map((path) => readFile(path, 'utf8')),
  )
  await rm(directory, { recursive: true })

  for (const folder of ['cache', 'interceptor', 'mock', 'web']) {
    const path = resolve('node_modules/undici/lib', folder)
    assert.ok(existsSync(path), `${path} is there to be left out`)
    assert.equal(
      files.filter((file) => file.startsWith(`${path}/`)),
      [],
    )
  }
  assert.not.match(texts.join(''), /\bnew Buffer\(/)
})

test.run()

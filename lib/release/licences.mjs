/**
 * The licences of all that is in the binaries, in one file.
 *
 * @module
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How the names of packages begin that come without the text, and the file that has it. */
const TEXTS_BY_PACKAGE = { '@lydell/node-pty-linux-': 'node-pty.txt' }

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i

const OWN_TEXTS = fileURLToPath(new URL('licences', import.meta.url))

const RULE = '='.repeat(80)

/**
 * @param {string} root of the project
 * @param {readonly string[]} files in the bundle
 * @param {readonly string[]} packages their directories, for those that are in the binary whole
 */
export async function renderLicences(root, files, packages) {
  const directories = new Set([...files.map(packageDirectoryOf), ...packages])
  directories.delete(undefined)
  const entries = await Promise.all([...directories].map(describe))
  const byName = entries.sort((a, b) => (a.title < b.title ? -1 : 1))
  const own = await readFile(join(root, 'LICENSE'), 'utf8')
  return [
    `This is the licence of the agent, and after it those of all that is in its binary.\n\n${own}`,
    ...byName.map(({ title, text }) => `${title}\n\n${text}`),
  ]
    .map((section) => section.trimEnd())
    .join(`\n\n${RULE}\n`)
    .concat('\n')
}

/** @returns undefined for a file of the project itself */
function packageDirectoryOf(file) {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]
}

async function describe(directory) {
  const manifest = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
  const { name, version, license = 'see below' } = manifest
  const texts = await readTexts(directory, name)
  // Its text is the same for everybody, and the agent's own.
  if (texts.length === 0 && license === 'Apache-2.0') texts.push('See the text at the top.\n')
  if (texts.length === 0) {
    throw new Error(
      `${name}@${version} comes without the text of its licence: add it to ${OWN_TEXTS}`,
    )
  }
  return { title: `${name} ${version} (${license})`, text: texts.join('\n') }
}

async function readTexts(directory, name) {
  const [, own] = Object.entries(TEXTS_BY_PACKAGE).find(([start]) => name.startsWith(start)) ?? []
  const files = (await readdir(directory)).filter((file) => LICENCE_FILE.test(file)).sort()
  const paths =
    own === undefined ? files.map((file) => join(directory, file)) : [join(OWN_TEXTS, own)]
  return await Promise.all(paths.map((path) => readFile(path, 'utf8')))
}

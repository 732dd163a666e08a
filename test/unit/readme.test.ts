/** What README.md says of the sources is so. */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { parseJobRequest } from '../../lib/request/parse-job-request.ts'
import { parseYaml } from '../../lib/request/yaml.ts'
import { withSettingsTable } from '../readme/settings-table.ts'

const test = suite('readme')
const README = readFileSync('README.md', 'utf8')

test('the table of settings is that of the sources: npm run readme', () => {
  assert.is(README, withSettingsTable(README))
})

test('every code of an error has its line, and no other', () => {
  const codes = readFileSync('lib/errors.ts', 'utf8').match(/(?<=\| ')ERR_[A-Z_]+(?=')/g) ?? []
  const lines = README.match(/(?<=^\| `)ERR_[A-Z_]+(?=` \|)/gm) ?? []

  assert.ok(codes.length > 0)
  assert.equal([...lines].sort(), [...codes].sort())
})

test('every room has its line in the map', () => {
  const rooms = globSync('lib/*/').map((path) => path.replace(/\/$/, ''))
  const map = README.match(/^\| `lib\/.*?(?= \|)/gm)?.join(' ') ?? ''

  assert.equal(
    rooms.filter((room) => !map.includes(`\`${room}\``)),
    [],
  )
})

test('every job file in it can be used as it is, without an unknown key', () => {
  const blocks = [...README.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text)
  const jobs = blocks.filter((text) => /^commands:/m.test(text))

  assert.ok(jobs.length > 1)
  for (const text of jobs) {
    const request = parseJobRequest(parseYaml(text, 'README.md'), { defaultId: 'readme' })
    assert.equal(request.unknownKeys, [], text)
  }
})

test('the files it names are there', () => {
  const names = README.match(/(?<=[(`])(?:examples|lib|test)\/[\w./-]+(?=[)`])/g) ?? []

  assert.ok(names.length > 0)
  assert.equal(
    names.filter((name) => !existsSync(name)),
    [],
  )
})

test('every link within it leads to a heading', () => {
  const headings = [...README.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
  const links = [...README.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor = '']) => anchor)

  assert.ok(links.length > 0)
  for (const anchor of links) assert.ok(headings.includes(anchor), anchor)
})

test('its picture is small, fetches nothing, runs nothing, and rests for who wants no motion', () => {
  const [, path = ''] = /!\[.*\]\((.*\.svg)\)/.exec(README) ?? []
  const picture = readFileSync(path, 'utf8')

  assert.ok(picture.length < 60_000)
  assert.not.match(picture, /<script|@import|<image|href|url\((?!#)|\son\w+=/)
  assert.match(picture, '@media (prefers-reduced-motion: no-preference) {')
  assert.not.match(picture.replace(/@media[\s\S]*?\n}\n/, ''), /animation|@keyframes|opacity/)
})

test.run()

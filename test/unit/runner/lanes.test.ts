import { globSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Lanes, lanesOf, lanesOnNewerEngine } from '../../runner/lanes.ts'

const FILES = globSync('test/e2e/*.test.ts').sort()

const filesOf = ({ besides, rest }: Lanes) => [...besides.flat(), ...rest].sort()

const test = suite('runner: lanes')

test('every end-to-end test file runs once', () => {
  assert.equal(filesOf(lanesOf(FILES)), FILES)
})

test('those about containers and registries run on the newer engine as well', () => {
  const found = filesOf(lanesOnNewerEngine(FILES))

  for (const name of ['container-job', 'docker-in-docker', 'private-images', 'pull', 'statsd']) {
    assert.ok(found.includes(`test/e2e/${name}.test.ts`), name)
  }
  assert.not.ok(found.includes('test/e2e/shell-job.test.ts'))
  assert.is(new Set(found).size, found.length)
})

test.run()

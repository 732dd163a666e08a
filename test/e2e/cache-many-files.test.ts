/** A tree of 200,000 files goes through the cache whole. */

import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { engineSuite } from '../helpers/engine-suite.ts'
import { inJob, PLACES } from '../helpers/in-job.ts'

interface Context {
  directory: string
}

const LIMIT_MS = 240_000

/** In memory, where there is some: for minutes ext4 is slow to make files where many have been deleted. */
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

const test = engineSuite<Context>('cache: many files')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(PARENT, 'many-'))
  await mkdir(join(t.directory, 'work'))
})

test.after.each(async (t) => {
  await rm(t.directory, { recursive: true, force: true })
})

/** Most are empty: so they take little memory. */
const MAKE_TREE = `for d in {1..200}; do
  mkdir -p tree/$d
  for f in {1..1000}; do : >tree/$d/$f; done
  echo "$d" >tree/$d/500
done`

const DESCRIBE = `find tree -printf '%P %y %m %Ts\\n' | sort | md5sum; cat tree/*/500 | md5sum`

for (const place of PLACES) {
  test(`${place}: 200,000 files come back, with all that belongs to them`, async (t) => {
    const work = join(t.directory, 'work')
    const isHost = place === 'host'
    const directives = [
      `cd ${isHost ? work : '/work'}; ${MAKE_TREE}`,
      `before=$(${DESCRIBE}); cache store key tree`,
      'mkdir back; cd back; cache restore key; find tree -type f | wc -l',
      `after=$(${DESCRIBE}); [[ $after == "$before" ]] && echo same`,
    ]
    const { outputs } = await inJob(place, directives, {
      limitMs: LIMIT_MS,
      cacheDirectory: join(t.directory, 'cache'),
      args: isHost ? [] : ['--files', `${work}:/work`],
    })

    assert.match(outputs[1] ?? '', /Upload complete/)
    assert.match(outputs[2] ?? '', /Restored: tree\..*\n200000\n$/)
    assert.is(outputs[3], 'same\n')
  })
}

test.run()

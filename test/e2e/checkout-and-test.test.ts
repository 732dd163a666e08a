/** examples/checkout-and-test.yaml on this project itself: twice, the second time with its cache. */

import { cp, mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Exit, encode, runAgent } from '../helpers/agent.ts'
import { createRepository, startHttpGitServer } from '../helpers/git-server.ts'
import { createJobId } from '../helpers/job-id.ts'

const test = suite('example: checkout and test')

/** What the tests of one file need, in place of a registry: it would be asked for a lot more. */
const PACKAGES = ['uvu', 'dequal', 'diff', 'kleur', 'mri', 'sade']

const SOURCE = 'agent.ts build.mjs examples lib package.json package-lock.json test tsconfig.json'

/**
 * Into `directory`, packages and node: not every engine of the tests sees the directory of this
 * project, and all of them see the temporary ones.
 */
async function copyParts(directory: string): Promise<void> {
  for (const name of PACKAGES) {
    const copy = join(directory, 'packages', name)
    await cp(join('node_modules', name), copy, { recursive: true })
  }
  await cp(await realpath('node_modules/.bin/node'), join(directory, 'node'))
}

/** Of this machine, for containers: not that of a network of another job, which may go meanwhile. */
async function ownAddress(): Promise<string> {
  const routes = (await readFile('/proc/net/route', 'utf8')).split('\n')
  const [name] = routes.find((line) => line.split('\t')[1] === '00000000')?.split('\t') ?? []
  assert.ok(name, 'this machine has no route to other networks, so containers cannot reach it')
  return networkInterfaces()[name]?.find(({ family }) => family === 'IPv4')?.address ?? ''
}

test('the second run of the same job finds the packages the first has stored', async () => {
  const repository = await createRepository(
    `cd ${resolve('.')}; cp -r ${SOURCE} "$OLDPWD"; cd "$OLDPWD"; git add -A; git commit -qm all; git push -q origin main`,
  )
  const server = await startHttpGitServer(repository, 'user:secret')
  const root = await mkdtemp(join(tmpdir(), 'parts-'))
  await copyParts(root)
  const url = `http://user:secret@${await ownAddress()}:${server.port}/repo.git`
  const sha = (await repository.change('git rev-parse HEAD')).trim()
  const example = await readFile('examples/checkout-and-test.yaml', 'utf8')
  const files = `${root}/packages:/packages,${root}/node:/usr/local/bin/node`
  const options = ['--files', files, '--cache-dir', join(root, 'cache')]
  const runExample = () =>
    runAgent(['run', ...options, '-'], {
      input: example
        .replace('node:24', 'agent-test/checkout')
        .replace(/^job_id: .*$/m, `job_id: ${createJobId()}`)
        .replace(/(GIT_URL, value: )\S+/, `$1${encode(url)}`)
        .replace(/(GIT_SHA, value: )\S+/, `$1${encode(sha)}`)
        .replace('retry npm ci', `{ echo installed; retry cp -r /packages node_modules; }`),
    })

  const runs: Exit[] = [await runExample(), await runExample()]
  await server.close()
  await repository.remove()
  await rm(root, { recursive: true, force: true })

  for (const { code, stdout, stderr } of runs) {
    assert.is(code, 0, `${stdout}${stderr}`)
    assert.match(stdout, /^HEAD is now at \w+ all$/m)
    assert.match(stdout, /^Detected package-lock\.json\.$/m)
    assert.match(stdout, /^ok +test\/unit\/job\/plan\.test\.ts/m)
  }
  const [first, second] = runs.map(({ stdout }) => stdout)
  assert.match(first ?? '', /^MISS: 'node-modules-main'\.$/m)
  assert.match(first ?? '', /^installed$/m)
  assert.match(
    first ?? '',
    /^Uploading 'node_modules' with cache key 'node-modules-main-\w{32}'\.\.\.$/m,
  )
  assert.match(
    second ?? '',
    /^HIT: '(node-modules-main-\w{32})', using key '\1'\.\nRestored: node_modules\./m,
  )
  assert.not.match(second ?? '', /^installed$/m)
  assert.match(second ?? '', /^Key 'node-modules-main-\w{32}' already exists\.$/m)
})

test.run()

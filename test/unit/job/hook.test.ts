import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readyHook } from '../../../lib/job/hook.ts'
import { ScriptedExecutor } from '../../helpers/scripted-executor.ts'

const test = suite<{ directory: string; path: string }>('job: hooks')

test.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'hooks-'))
  t.path = join(t.directory, 'pre job.sh')
  await writeFile(t.path, 'echo hooked\n')
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

/** Where the job's commands run there is such a file, or not. */
async function ready(
  path: string,
  { isThere, ...step }: { isThere: boolean; style: 'bash' | 'source'; warning?: string },
) {
  const executor = new ScriptedExecutor({
    [`\\builtin [ -e '${path}' ]\n`]: async () => (isThere ? 0 : 1),
  })
  const { signal } = new AbortController()
  await executor.prepare({ signal, block: async () => true, directives: [] })
  const said: string[] = []
  const directive = await readyHook({ kind: 'hook', title: '', path, ...step }, executor, {
    signal,
    onOutput: (text) => void said.push(String(text)),
  })
  return { directive, said, files: executor.files }
}

test('each line of the agent is an output of its own, and the path is quoted', async ({ path }) => {
  const { directive, said, files } = await ready(path, {
    ...{ isThere: true, style: 'bash', warning: 'Something.' },
  })

  assert.equal(said, [`Running: bash ${path}\n`, 'Warning: Something.\n'])
  assert.is(directive, `bash '${path}'`)
  assert.is(files.size, 0)
})

test('a hook that is not where the commands run is put there, under its own path', async (t) => {
  const { directive, said, files } = await ready(t.path, { isThere: false, style: 'source' })

  assert.equal(said, [`Running: source ${t.path}\n`])
  assert.is(directive, `source '${t.path}'`)
  assert.is(Buffer.from(files.get(t.path) ?? '').toString(), 'echo hooked\n')
})

test('one that the host does not have either is left to bash to tell', async ({ directory }) => {
  const path = join(directory, 'none')

  const { directive, files } = await ready(path, { isThere: false, style: 'bash' })

  assert.is(directive, `bash '${path}'`)
  assert.is(files.size, 0)
})

test.run()

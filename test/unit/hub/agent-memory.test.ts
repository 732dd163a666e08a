import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AgentMemory } from '../../../lib/hub/agent-memory.ts'
import { type CollectingLogger, collectingLogger } from '../../helpers/collecting-logger.ts'
import { rejection } from '../../helpers/rejection.ts'

interface Lab {
  directory: string
  path: string
  log: CollectingLogger
  memory: AgentMemory
}

const REGISTRATION = { name: 'a', token: 'hush-hush', baseUrl: 'http://b', fingerprint: 'c' }

const test = suite<Lab>('hub: agent memory')

test.before.each(async (lab) => {
  lab.directory = await mkdtemp(join(tmpdir(), 'memory-'))
  lab.path = join(lab.directory, '1.json')
  lab.log = collectingLogger()
  lab.memory = AgentMemory.open(lab.path, lab.log)
})

test.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

test('what an agent has to remember is read by the next process, and by nobody else', async ({
  memory,
  path,
  log,
}) => {
  await memory.setMadeName('made')
  await memory.setRegistration(REGISTRATION)
  await memory.setJob({ id: 'job', position: 0 })
  await Promise.all([1, 2, 3].map((position) => memory.updateJob('job', { position })))
  await memory.updateJob('another', { position: 9 })

  const next = AgentMemory.open(path, log)

  assert.equal(next.job, { id: 'job', position: 3 })
  assert.equal(next.registration, REGISTRATION)
  assert.is(next.madeName, 'made')
  assert.is((await stat(path)).mode & 0o777, 0o600)
  assert.equal(log.errors, [])
})

test('a registration is forgotten with its job; the name stays until all is', async ({
  memory,
  path,
  log,
}) => {
  await memory.setMadeName('made')
  await memory.setRegistration(REGISTRATION)
  await memory.setJob({ id: 'job', position: 0 })

  await memory.forgetRegistration()
  const forgetful = AgentMemory.open(path, log)
  await memory.remove()
  await memory.remove()

  assert.is(forgetful.registration, undefined)
  assert.is(forgetful.job, undefined)
  assert.is(forgetful.madeName, 'made')
  assert.is(AgentMemory.open(path, log).madeName, undefined)
})

for (const text of [
  '{"format":1,"registration":{"token":"hush-hush"',
  '{"format":2}',
  '[]',
  'null',
]) {
  test(`${text.slice(0, 12)}… is reported without what is in it, and forgotten`, async ({
    path,
    log,
  }) => {
    await writeFile(path, text, { mode: 0o600 })

    const memory = AgentMemory.open(path, log)

    assert.is(memory.registration, undefined)
    assert.is(log.errors.length, 1)
    assert.not.match(log.errors[0] ?? '', 'hush')
  })
}

test('what cannot be written is told, and counts in this process all the same', async ({
  memory,
  directory,
}) => {
  await rm(directory, { recursive: true })

  const error = await rejection(memory.setRegistration(REGISTRATION))

  assert.is((error as { code?: string }).code, 'ERR_STATE_UNUSABLE')
  assert.equal(memory.registration, REGISTRATION)
  assert.is(await readFile(directory).catch(() => 'gone'), 'gone')
})

test.run()

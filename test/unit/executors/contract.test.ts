/** The contract of executors, on this host and of the one that other tests script. */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { HostExecutor, type HostOptions } from '../../../lib/executors/host/executor.ts'
import { planHostResources } from '../../../lib/host/host-resources.ts'
import { DIRECTIVES, promiseContract } from '../../helpers/executor-contract.ts'
import { ScriptedExecutor } from '../../helpers/scripted-executor.ts'

const host = suite<{ directory: string }>('executors: the contract, on this host')

host.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'contract-'))
})

host.after.each(async ({ directory }) => {
  await rm(directory, { recursive: true, force: true })
})

promiseContract(host, ({ directory }) => createExecutor(directory))

host.run()

const fleet = suite<{ directory: string }>('executors: the contract, on a host of a fleet')

fleet.before.each(async (t) => {
  t.directory = await mkdtemp(join(tmpdir(), 'contract-'))
})

fleet.after.each(async ({ directory }) => {
  const left = await readdir(directory)
  await rm(directory, { recursive: true, force: true })
  assert.not.ok(left.includes('.bash_profile'), left.join())
})

promiseContract(fleet, ({ directory }) => createExecutor(directory, { tellsLogins: false }))

fleet.run()

function createExecutor(directory: string, options: Partial<HostOptions> = {}): HostExecutor {
  return new HostExecutor({
    policy: { gracePeriodMs: 1_000, forceStop: new AbortController().signal },
    environment: { HOME: directory, PATH: '/usr/local/bin:/usr/bin:/bin' },
    cache: { directories: [], limitBytes: 0, environment: {}, project: '' },
    addSecret: () => undefined,
    resources: planHostResources({ privateDirectories: [directory], home: directory }),
    ...options,
  })
}

const scripted = suite('executors: the contract, scripted')

promiseContract(scripted, () => {
  return new ScriptedExecutor({
    [DIRECTIVES.show]: async ({ variables, print }) => {
      await print(`<${variables.get('CONTRACT') ?? ''}>`)
      return 0
    },
    [DIRECTIVES.fail]: async () => 3,
    [DIRECTIVES.read]: async ({ files, print }) => {
      await print(Buffer.from(files.get('/home/scripted/contract/file') ?? '').toString())
      return 0
    },
    [DIRECTIVES.exit]: async () => ({ exit: 4 }),
    [DIRECTIVES.wait]: async ({ print, stopped }) => {
      await print('waiting\n')
      await stopped
      return 1
    },
    [DIRECTIVES.trap]: async ({ trapExit }) => {
      trapExit('bye')
      return 0
    },
  })
})

scripted.run()

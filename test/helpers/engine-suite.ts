/** Suites of jobs in containers: a test that leaves anything on the engine fails. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type Test } from 'uvu'
import * as assert from 'uvu/assert'
import { type EngineObjects, engineObjects } from './engine.ts'
import { type EngineProxy, startEngineProxy } from './engine-proxy.ts'

interface OnEngine {
  /** What was on the engine when the test began. */
  before: EngineObjects
}

export function engineSuite<Context>(name: string): Test<Context & OnEngine> {
  const test = suite<Context & OnEngine>(name)
  test.before.each(async (t) => {
    t.before = await engineObjects()
  })
  test.after.each(async (t) => {
    assert.equal(await engineObjects(), t.before)
  })
  return test
}

/** Each test has a proxy of its own before the engine. */
export function proxySuite(name: string): Test<OnEngine & { proxy: EngineProxy }> {
  const test = engineSuite<{ proxy: EngineProxy }>(name)
  test.before.each(async (t) => {
    t.proxy = await startEngineProxy()
  })
  test.after.each(async (t) => {
    await t.proxy.close()
  })
  return test
}

/** Each test has a cache of its own. */
export function cacheSuite(name: string): Test<OnEngine & { cacheDirectory: string }> {
  const test = engineSuite<{ cacheDirectory: string }>(name)
  test.before.each(async (t) => {
    t.cacheDirectory = await mkdtemp(join(tmpdir(), 'cache-'))
  })
  test.after.each(async (t) => {
    await rm(t.cacheDirectory, { recursive: true, force: true })
  })
  return test
}

/** Tests of agents that call a control plane: each with a control plane of its own. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type Test } from 'uvu'
import { type Hub, startHub } from './hub.ts'
import { type StartedAgent, type StartOptions, startFleetAgent } from './started-agent.ts'

export interface HubLab {
  hub: Hub
  /** For files of the test. */
  directory: string
  /** A shutdown hook that says why it is called, and ends with 3. */
  hook: string
  /** Removed after the test, as those that are started from it are. */
  start(flags?: readonly string[], options?: StartOptions): Promise<StartedAgent>
}

const HOOK = `echo "because $SEMAPHORE_AGENT_SHUTDOWN_REASON"; exit 3\n`

export function hubSuite(name: string): Test<HubLab> {
  const test = suite<HubLab>(name)
  let started: StartedAgent[] = []

  test.before.each(async (lab) => {
    started = []
    lab.hub = await startHub()
    lab.directory = await mkdtemp(join(tmpdir(), 'hub-lab-'))
    lab.hook = join(lab.directory, 'hook.sh')
    await writeFile(lab.hook, HOOK)
    lab.start = async (flags, options) => {
      const agent = await startFleetAgent(lab.hub, flags, options)
      started.push(agent)
      return agent
    }
  })

  test.after.each(async ({ hub, directory }) => {
    for (const agent of started.reverse()) await agent.remove()
    await hub.close()
    await rm(directory, { recursive: true, force: true })
  })

  return test
}

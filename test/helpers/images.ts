/** Images for one test, that differ from the kept ones in what they declare. */

import { callEngine } from '../setup/engine.ts'
import { type DerivedImage, deriveImage } from '../setup/images.ts'
import { createJobId } from './job-id.ts'

export interface TestImage {
  readonly name: string
  remove(): Promise<void>
}

/** @param changes as the lines of a Dockerfile: `EXPOSE 80` */
export async function createImage(
  from: string,
  changes: readonly string[],
  programs: DerivedImage['programs'] = {},
): Promise<TestImage> {
  const id = createJobId()
  const name = `agent-test/${id}`
  await deriveImage(name, { from, changes, programs, labels: { 'agent.job': id } })
  return {
    name,
    async remove() {
      const { status, text } = await callEngine('DELETE', `/images/${name}:latest?force=true`)
      if (status !== 200) throw new Error(`Image ${name} could not be removed: ${text}`)
    },
  }
}

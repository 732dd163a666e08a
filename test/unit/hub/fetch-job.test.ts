import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { RegisteredAgent } from '../../../lib/hub/control-plane.ts'
import { type FetchedJob, fetchJob } from '../../../lib/hub/fetch-job.ts'
import { encode } from '../../helpers/agent.ts'

const test = suite('hub: fetch job')

const ID = 'the-job'
const COMMANDS = [{ directive: "echo '{SANITIZED}'" }]
const VARIABLE = { name: 'SECRET', value: '{SANITIZED}' }
const FILE = { path: 'secret', content: '{SANITIZED}', mode: '0600' }
const CONTAINER = { name: 'main', image: 'any' }

/** @param text the answer of the control plane */
async function fetched(text: string): Promise<FetchedJob> {
  const agent = new RegisteredAgent(async () => ({ status: 200, text, date: '' }))
  const { signal } = new AbortController()
  return await fetchJob(ID, { agent, signal, onFailure: () => assert.unreachable() })
}

for (const [place, fields] of Object.entries({
  variables: { env_vars: [VARIABLE] },
  files: { files: [FILE] },
  'variables of a container': { compose: { containers: [{ ...CONTAINER, env_vars: [VARIABLE] }] } },
  'files of a container': { compose: { containers: [{ ...CONTAINER, files: [FILE] }] } },
  'credentials of a registry': { compose: { image_pull_credentials: [{ env_vars: [VARIABLE] }] } },
})) {
  test(`secrets that are gone are recognised in ${place}`, async () => {
    const text = JSON.stringify({ job_id: ID, commands: COMMANDS, ...fields })

    const { problem } = (await fetched(text)) as { problem?: string }

    assert.match(problem ?? '', 'hands out its secrets only once')
  })
}

test('a value or a command that only reads like a secret that is gone is none', async () => {
  const variable = { name: 'TEXT', value: encode('{SANITIZED}') }
  const text = JSON.stringify({ job_id: ID, commands: COMMANDS, env_vars: [variable] })

  assert.ok('request' in (await fetched(text)))
})

test('a document may be nested more deeply than calls can be', async () => {
  const depth = 200_000
  const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`

  assert.ok('request' in (await fetched(`{"job_id":"${ID}","commands":[],"odd":${nested}}`)))
})

test.run()

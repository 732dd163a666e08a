/**
 * What `agent start` needs: valid settings, a token, a control plane that it can reach and that accepts
 * the token, a place for its state.
 *
 * @module
 */

import { access, constants } from 'node:fs/promises'
import { type Check, ok, problem, type Verdict, warning } from '../checks/check.ts'
import { variableOf } from '../settings/setting.ts'
import type { ConfigSources } from '../settings/sources.ts'
import {
  findStartToken,
  loadStartConfigButToken,
  type StartConfigButToken,
} from '../settings/start-config.ts'
import { examineAddress, examineClock, examineConnection, examineToken } from './control-plane.ts'
import { examineJobFiles } from './injected-files.ts'
import { probe } from './probe.ts'
import { examineState } from './state.ts'

export async function callingChecks(sources: ConfigSources): Promise<Check[]> {
  const area = 'start'
  const settings = loadStartConfigButToken(sources)
  const config = await settings.catch(() => undefined)
  const first: Check = {
    area,
    subject: 'settings',
    examine: async () => describe(await settings, sources),
  }
  if (config === undefined) return [first]
  const token = findStartToken(sources)
  // One call answers all questions; each check has the same limit.
  let probing: ReturnType<typeof probe> | undefined
  const ask = (signal: AbortSignal) => {
    probing ??= token.catch(() => undefined).then((text) => probe(config, text, signal))
    return probing
  }
  return [
    first,
    { area, subject: 'files', examine: () => examineFiles(config, sources.workingDirectory) },
    {
      area,
      subject: 'address',
      examine: async (signal) => await examineAddress(config, await ask(signal)),
    },
    {
      area,
      subject: 'connection',
      examine: async (signal) => examineConnection(config, await ask(signal)),
    },
    { area, subject: 'clock', examine: async (signal) => examineClock(await ask(signal)) },
    {
      area,
      subject: 'token',
      examine: async (signal) =>
        (await token) === undefined ? missingToken() : examineToken(await ask(signal)),
    },
    { area, subject: 'state', examine: () => examineState(config.stateDirectories) },
  ]
}

function describe({ warnings }: StartConfigButToken, { flags }: ConfigSources): Verdict {
  const file = flags['config-file']
  if (warnings.length === 0) {
    return ok(`${file === undefined ? '' : `those in ${file} `}can be used`)
  }
  return warning(warnings.join('; '), 'Change it, unless it is intended.')
}

async function examineFiles(
  config: StartConfigButToken,
  workingDirectory: string,
): Promise<Verdict | undefined> {
  const { shutdownHookPath: hook } = config
  try {
    if (hook !== undefined) await access(hook, constants.R_OK)
  } catch (error) {
    const reason = (error as Error).message
    return problem(
      `the shutdown hook cannot be read: ${reason}`,
      'Create the file, or remove the setting.',
    )
  }
  return await examineJobFiles(config, workingDirectory)
}

function missingToken(): Verdict {
  return problem(
    'is not given',
    `agent start needs it: --token-file, or the variable ${variableOf('token')}.`,
  )
}

/**
 * What `agent serve` needs: settings it can use, a secret, a port, a certificate, a place for its
 * state.
 *
 * @module
 */

import { type Check, ok, warning } from '../checks/check.ts'
import {
  findServeSecret,
  loadServeConfigButSecret,
  type ServeConfig,
} from '../settings/serve-config.ts'
import { variableOf } from '../settings/setting.ts'
import type { ConfigSources } from '../settings/sources.ts'
import { examineCertificate } from './certificate.ts'
import { examineJobFiles } from './injected-files.ts'
import { examinePort } from './port.ts'
import { examineState } from './state.ts'

export async function servingChecks(sources: ConfigSources): Promise<Check[]> {
  const area = 'serve'
  const settings = loadServeConfigButSecret(sources)
  const config = await settings.catch(() => undefined)
  const first: Check = {
    area,
    subject: 'settings',
    examine: async () => describe(await settings, sources),
  }
  if (config === undefined) return [first]
  return [
    first,
    {
      area,
      subject: 'files',
      examine: () => examineJobFiles(config, sources.workingDirectory),
    },
    { area, subject: 'secret', examine: () => examineSecret(sources) },
    { area, subject: 'port', examine: (signal) => examinePort(config, signal) },
    { area, subject: 'certificate', examine: () => examineCertificate(config) },
    { area, subject: 'state', examine: () => examineState(config.stateDirectories) },
  ]
}

function describe({ warnings }: Pick<ServeConfig, 'warnings'>, { flags }: ConfigSources) {
  const file = flags['config-file']
  if (warnings.length === 0)
    return ok(`${file === undefined ? '' : `those in ${file} `}can be used`)
  return warning(warnings.join('; '), 'Correct the name of the variable, or unset it.')
}

async function examineSecret(sources: ConfigSources) {
  const secret = await findServeSecret(sources)
  if (secret !== undefined) return ok('is given')
  return warning(
    'is not given',
    `agent serve needs it: --auth-token-secret-file, or the variable ${variableOf('auth-token-secret')}.`,
  )
}

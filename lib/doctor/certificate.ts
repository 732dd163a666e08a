/**
 * The certificate `agent serve` would use: given, or of its own making.
 *
 * @module
 */

import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ok, problem, type Verdict, warning } from '../checks/check.ts'
import type { ServeConfig } from '../settings/serve-config.ts'
import { readCertificate } from '../tls/certificate.ts'

type Settings = Pick<ServeConfig, 'certificate' | 'stateDirectories'>

const DAY_MS = 86_400_000

/** Time to get another one without haste. */
const SOON_MS = 30 * DAY_MS

/** @throws {ConfigError} when the files cannot be read, or do not belong together */
export async function examineCertificate(settings: Settings): Promise<Verdict> {
  const { certificate } = settings
  if (certificate === undefined) return describeOwn(settings)
  const { certPath, keyPath } = certificate
  const { cert } = readCertificate(certificate)
  const { validFromDate, validToDate } = new X509Certificate(cert)
  const now = Date.now()
  const until = validToDate.toISOString().slice(0, 'YYYY-MM-DD'.length)
  const renew = 'Renew it and replace the file.'
  if (validToDate.getTime() <= now) return problem(`${certPath} expired on ${until}`, renew)
  if (validFromDate.getTime() > now) {
    return problem(
      `${certPath} is valid from ${validFromDate.toISOString()} on`,
      'Wait until then, or set the clock of this machine if it is behind.',
    )
  }
  if (validToDate.getTime() < now + SOON_MS) {
    return warning(`${certPath} expires soon, on ${until}`, renew)
  }
  const { mode } = await stat(keyPath)
  if ((mode & OTHERS_READ) !== 0) {
    return warning(`its key ${keyPath} is readable by every user`, `chmod 600 ${keyPath}`)
  }
  return ok(`${certPath}, valid until ${until}`)
}

const OTHERS_READ = 0o004

function describeOwn({ stateDirectories }: Settings): Verdict {
  const made = stateDirectories.map((path) => join(path, 'server.crt')).find(existsSync)
  return ok(
    made === undefined ? 'none configured: the agent will create its own' : `its own, ${made}`,
  )
}

/**
 * The server's certificate: the given one, or one the agent makes itself and keeps.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { readSmallFile } from '../files/read-bounded.ts'
import { replaceFile } from '../files/replace-file.ts'
import type { CertificateAndKey, Subject } from './self-signed.ts'

export interface CertificateFiles {
  readonly certPath: string
  readonly keyPath: string
}

/** One with less than this to go is replaced at the start of the agent. */
const RENEW_BEFORE_MS = 30 * 86_400_000

/**
 * Makes a certificate for this host in the state directory, unless a good one is there.
 *
 * @throws {Error} of the file system
 */
export async function keepOwnCertificate(stateDirectory: string): Promise<CertificateFiles> {
  const files = {
    certPath: join(stateDirectory, 'server.crt'),
    keyPath: join(stateDirectory, 'server.key'),
  }
  if (isGood(files)) return files
  const { makeCertificate } = await import('./self-signed.ts') // needed once in many starts
  const { cert, key } = await makeCertificate(describeHost())
  await replaceFile(files.keyPath, key)
  await replaceFile(files.certPath, cert)
  return files
}

/**
 * Reads both files again: they may have been renewed.
 *
 * @throws {ConfigError} naming the file that cannot be read, or what is wrong with the pair
 */
export function readCertificate({ certPath, keyPath }: CertificateFiles): CertificateAndKey {
  const cert = readPem('certificate', certPath)
  const key = readPem('private key', keyPath)
  const problem = describeProblem(cert, key)
  if (problem === undefined) return { cert, key }
  throw new ConfigError(`${certPath} and ${keyPath} cannot be used: ${problem}`, {
    hint: 'Give a PEM certificate with --tls-cert-path and its private key with --tls-key-path.',
  })
}

/** SHA-256, as `openssl x509 -fingerprint -sha256` shows it. */
export function fingerprintOf(cert: string): string {
  return new X509Certificate(cert).fingerprint256
}

function readPem(what: string, path: string): string {
  try {
    return readSmallFile(path)
  } catch (cause) {
    throw new ConfigError(`The TLS ${what} ${path} cannot be read: ${(cause as Error).message}`, {
      hint: 'Correct --tls-cert-path and --tls-key-path, or let the agent read that file.',
      cause,
    })
  }
}

function describeProblem(cert: string, key: string): string | undefined {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(cert)
  } catch {
    return 'the first is no PEM certificate'
  }
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key))) return undefined
  } catch {
    return 'the second is no PEM private key without a passphrase'
  }
  return 'the key does not match the certificate'
}

function isGood(files: CertificateFiles): boolean {
  try {
    const { validFromDate, validToDate } = new X509Certificate(readCertificate(files).cert)
    const now = Date.now() // may have been ahead when the certificate was made
    return validFromDate.getTime() <= now && validToDate.getTime() > now + RENEW_BEFORE_MS
  } catch {
    return false // not there yet, or spoilt: a new one is made in either case
  }
}

/** By all the names and addresses that a client on the network may use. */
function describeHost(): Subject {
  const names = [hostname(), 'localhost'].filter((name) => /^[A-Za-z0-9.-]{1,253}$/.test(name))
  const addresses = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ address }) => !address.startsWith('fe80:')) // valid on one link only
    .map(({ address }) => address)
  return {
    names: [...new Set(names)],
    addresses: [...new Set([...addresses, '127.0.0.1', '::1'])],
  }
}

/**
 * A certificate that an agent makes itself, so that its first start just works.
 *
 * @module
 */

import 'reflect-metadata' // a polyfill the library asks for; it has to come first
import { KeyObject, webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** What the certificate is for. */
export interface Subject {
  /** The first one is also its common name. */
  readonly names: readonly string[]
  /** IPv4 and IPv6. */
  readonly addresses: readonly string[]
}

/** PEM. */
export interface CertificateAndKey {
  readonly cert: string
  readonly key: string
}

/** Those who trust it trust its fingerprint: a change is a nuisance to them, and gains nothing. */
const VALID_DAYS = 3_650

const DAY_MS = 86_400_000

/** A host whose clock is a little slow must not take it for one of the future. */
const CLOCK_SKEW_MS = DAY_MS

/** RFC 5280, appendix A.1: ub-common-name. */
const MAX_COMMON_NAME = 64

/** On the curve P-256, which every TLS library of the last decade knows. @see RFC 5280 */
export async function makeCertificate({ names, addresses }: Subject): Promise<CertificateAndKey> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const now = Date.now()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: new Name([{ CN: [(names[0] ?? 'agent').slice(0, MAX_COMMON_NAME)] }]),
    notBefore: new Date(now - CLOCK_SKEW_MS),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: 'dns' as const, value })),
        ...addresses.map((value) => ({ type: 'ip' as const, value })),
      ]),
    ],
  })
  return {
    cert: `${certificate.toString('pem')}\n`,
    key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

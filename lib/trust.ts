/**
 * Whom this host trusts: the authorities Node knows, and those of the host's own store.
 *
 * @module
 */

import { getCACertificates } from 'node:tls'

/** Node by itself knows public authorities only; a company's own one stands in its hosts' store. */
export function trustedAuthorities(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])]
}

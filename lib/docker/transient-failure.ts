/**
 * Which failures of a registry are transient. Pure.
 *
 * Engines hand on what the registry did as a sentence, with status 500 for nearly everything, so
 * the sentence has to tell. What is not known to be transient is taken to be permanent: "not found" and "denied"
 * come at once.
 *
 * @module
 */

/** Words of the registry, of Go's HTTP client, and of containerd. */
const TRANSIENT: readonly RegExp[] = [
  /toomanyrequests|too many requests/i,
  /unexpected (HTTP )?status.*: (429|5\d\d)/i,
  /status code:? (429|5\d\d)/i,
  /failed with status: (429|5\d\d)/i,
  /\bEOF\b/,
  /connection (refused|reset|timed out)|broken pipe|use of closed network connection/i,
  /i\/o timeout|TLS handshake timeout|Client\.Timeout|deadline exceeded/i,
  /temporary failure in name resolution|server misbehaving/i,
  /server sent GOAWAY|stream error:|http2: /,
  /no route to host|network is unreachable/i,
]

/** @param reason the engine's own words */
export function isTransientFailure(reason: string): boolean {
  return TRANSIENT.some((pattern) => pattern.test(reason))
}

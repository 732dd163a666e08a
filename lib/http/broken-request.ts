/**
 * Answers to what is no HTTP request, or takes too long to become one. The app never sees these.
 *
 * @module
 */

import type { Duplex } from 'node:stream'

const ANSWERS: Readonly<Record<string, readonly [status: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Content Too Large', 'The chunk extensions are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive'],
}

/** A client that is still sending gets the answer only if what it sends is taken. */
const LINGER_MS = 1_000
const LINGER_BYTES = 4 * 1024 * 1024

/** For `clientError` of a server. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Node's own, and in no type: on upgrade, check.
  const response = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage
  if (!socket.writable || error.code === 'ECONNRESET' || response?.headersSent === true) {
    socket.destroy()
    return
  }
  const [status, message] = ANSWERS[error.code ?? ''] ?? ['400 Bad Request', 'This is not HTTP/1.1']
  const body = `{"message": ${JSON.stringify(message)}}`
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ]
  linger(socket)
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Reads on for a moment and drops it: closing on unread bytes would reset the answer as well. */
function linger(socket: Duplex): void {
  let bytes = 0
  socket.removeAllListeners('data')
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > LINGER_BYTES) socket.destroy()
  })
  socket.on('error', () => socket.destroy())
  socket.once('end', () => socket.destroy())
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

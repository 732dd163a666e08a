/**
 * Base64 as job requests carry it: the standard alphabet, possibly broken into lines.
 *
 * @module
 */

import { ContentError } from '../errors.ts'

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const FOREIGN_CHARACTER = /[^A-Za-z0-9+/]/

/**
 * Decodes strictly, where `Buffer.from` would skip what it does not know. Line breaks are tolerated
 * anywhere, and the padding at the end may be missing.
 *
 * @param what begins the error's sentence, e.g. `The value of HOME`; the text itself never enters it
 * @throws {ContentError} when the text is not base64
 */
export function decodeBase64(text: string, what: string): Buffer {
  const joined = withoutLineBreaks(text)
  const digits = withoutPadding(joined)
  const foreign = digits.search(FOREIGN_CHARACTER)
  if (foreign !== -1)
    throw notBase64(what, `its character ${foreign + 1} is not in the base64 alphabet`)
  const padded = digits.length !== joined.length
  if (digits.length % 4 === 1 || (padded && joined.length % 4 !== 0)) {
    throw notBase64(what, `${joined.length} characters do not make whole bytes`)
  }
  return Buffer.from(digits, 'base64')
}

/** Byte by byte: of a text with a break after every character a regular expression makes a million parts. */
function withoutLineBreaks(text: string): string {
  if (!/[\r\n]/.test(text)) return text
  const bytes = Buffer.from(text)
  let length = 0
  for (const byte of bytes) {
    if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) bytes[length++] = byte
  }
  return bytes.toString('utf8', 0, length)
}

function withoutPadding(text: string): string {
  if (text.endsWith('==')) return text.slice(0, -2)
  return text.endsWith('=') ? text.slice(0, -1) : text
}

function notBase64(what: string, reason: string): ContentError {
  return new ContentError(`${what} is not base64: ${reason}`, {
    hint: 'Encode it with the standard alphabet, e.g. with the program base64.',
  })
}

/**
 * Bytes of any encoding as a string, one character a byte (as WebIDL's ByteString, or latin1): the
 * names and texts that come from a job need not be UTF-8, and have to be given back as they were.
 * Only what is marked as one is taken for one, so that text is never looked for among bytes.
 *
 * @module
 */

declare const byteString: unique symbol

export type ByteString = {
  readonly [byteString]: true
  slice(start?: number, end?: number): ByteString
  split(separator: string, limit?: number): ByteString[]
} & string

/** Text as the bytes it is in UTF-8. */
export function encodeBytes(text: string): ByteString {
  return bytesOf(Buffer.from(text))
}

/** For people, and where a key or a variable has to be text: what is not UTF-8 is replaced. */
export function decodeBytes(bytes: ByteString): string {
  return bufferOf(bytes).toString()
}

/** @param start, end as in `subarray` */
export function bytesOf(bytes: Uint8Array, start?: number, end?: number): ByteString {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) // the same memory
  return buffer.toString('latin1', start, end) as ByteString
}

export function bufferOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1')
}

/** Puts byte strings together; what stands between them is ASCII. */
export function bytes(ascii: TemplateStringsArray, ...parts: readonly ByteString[]): ByteString {
  return String.raw({ raw: ascii }, ...parts) as ByteString
}

/** @param change that adds nothing but ASCII, as the functions for paths do */
export function mapBytes(bytes: ByteString, change: (bytes: string) => string): ByteString {
  return change(bytes) as ByteString
}

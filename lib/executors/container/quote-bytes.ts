import type { ByteString } from '../../files/byte-string.ts'

/** Any bytes as a word of bash, in ASCII: a command of an exec can only be text. */
export function quoteBytes(path: ByteString): string {
  const escaped = path.replace(
    /[^\w./-]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `$'${escaped}'`
}

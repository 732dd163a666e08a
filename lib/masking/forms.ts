/**
 * The different ways in which programs write the same value. Pure.
 *
 * @module
 */

/** Every form in which these bytes may appear in a log, each once. */
export function formsOf(value: Buffer): Set<string> {
  const text = value.toString('utf8')
  // Bytes that are not text are not printed as they are, but encoded.
  const texts = Buffer.from(text).equals(value) ? textForms(text) : []
  const hex = value.toString('hex')
  return new Set([...texts, hex, hex.toUpperCase(), ...base64Forms(value)])
}

/** Plain, quoted, and percent-encoded. */
export function textForms(text: string): Set<string> {
  const forms = new Set([text, ...jsonForms(text), ...urlForms(text), ...shellForms(text)])
  return new Set([...forms].map((form) => form.toWellFormed()))
}

/** As JavaScript, Go and Python write it, with and without characters beyond ASCII; also JSON in JSON. */
function jsonForms(text: string): string[] {
  const plain = JSON.stringify(text).slice(1, -1)
  const slashes = plain.replaceAll('/', '\\/')
  const ascii = plain.replace(/[^\0-\x7e]/g, escapeUnit)
  const html = plain.replace(/[<>&]/g, escapeUnit)
  return [plain, slashes, ascii, html, JSON.stringify(plain).slice(1, -1)]
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** Which characters stay unencoded differs from library to library. */
function urlForms(text: string): string[] {
  const component = encodeURIComponent(text.toWellFormed())
  const strict = component.replace(/[!'()*]/g, percent)
  const upper = [
    component,
    strict,
    strict.replaceAll('%2F', '/'),
    strict.replaceAll('%20', '+'),
    strict.replaceAll('~', '%7E').replaceAll('%20', '+').replaceAll('%2A', '*'),
    encodeURI(text.toWellFormed()),
  ]
  const lower = upper.map((form) => form.replace(/%[\dA-F]{2}/g, (code) => code.toLowerCase()))
  return [...upper, ...lower]
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

/** In single, double and `$'…'` quotes, and with backslashes, as `printf %q`, `set -x` and `export -p` do. */
function shellForms(text: string): string[] {
  return [
    text.replaceAll("'", "'\\''"),
    text.replace(/["$`\\]/g, '\\$&'),
    text.replace(/["$`\\!]/g, '\\$&'),
    text.replace(/[\t !"$&'()*,;<>?[\\\]^`{|}]/g, '\\$&'),
    text.replace(/[\\'\p{Cc}]/gu, (character) => C_ESCAPES[character] ?? character),
  ]
}

const C_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '\x1b': '\\E',
}

/**
 * As part of something larger, at any offset: three forms, since three bytes become four characters.
 * Also at the very end, and before a final line feed, as `echo` adds one.
 */
function base64Forms(value: Buffer): string[] {
  const forms: string[] = []
  for (const before of [0, 1, 2]) {
    const bytes = Buffer.concat([Buffer.alloc(before), value])
    /** The first character that does not depend on what comes before. */
    const start = Math.ceil((before * 8) / 6)
    const inner = bytes.toString('base64').slice(start, Math.floor((bytes.length * 8) / 6))
    const ends = [bytes, Buffer.concat([bytes, Buffer.from('\n')])].map((all) =>
      all.toString('base64').slice(start),
    )
    forms.push(inner, ...ends)
  }
  const urlSafe = forms.map((form) =>
    form.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''),
  )
  return [...forms, ...urlSafe]
}

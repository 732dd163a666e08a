/**
 * In how many ways programs write down one and the same value. Pure.
 *
 * @module
 */

/** Every way in which these bytes may come to be in a log, each once. */
export function formsOf(value: Buffer): Set<string> {
  const text = value.toString('utf8')
  // What is no text is not printed as it is, but encoded.
  const texts = Buffer.from(text).equals(value) ? textForms(text) : []
  const hex = value.toString('hex')
  return new Set([...texts, hex, hex.toUpperCase(), ...base64Forms(value)])
}

/** As it is, and as it is between quotes or in a URL. */
export function textForms(text: string): Set<string> {
  const forms = new Set([text, ...jsonForms(text), ...urlForms(text), ...shellForms(text)])
  return new Set([...forms].map((form) => form.toWellFormed()))
}

/** As JavaScript, Go and Python write it, with and without characters beyond ASCII; also twice over. */
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

/** What is left as it is differs from library to library. */
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

/** Between single, double and `$'…'` quotes, and with backslashes, as `printf %q`, `set -x` and `export -p` do. */
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
 * As a part of something larger, whatever is before it: three ways, since three bytes become four
 * characters. Also at its end, and at the end of a line, as `echo` makes one.
 */
function base64Forms(value: Buffer): string[] {
  const forms: string[] = []
  for (const before of [0, 1, 2]) {
    const bytes = Buffer.concat([Buffer.alloc(before), value])
    /** The first character that tells nothing of what is before. */
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

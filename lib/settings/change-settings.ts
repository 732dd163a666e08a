/**
 * Changes single settings in the text of a settings file; comments and everything else stay.
 *
 * @module
 */

import { ConfigError } from '../errors.ts'

/**
 * @param text of the file; empty for a new one
 * @param values by name: written whatever is there
 * @param defaults by name: written where the file says nothing
 * @throws {ConfigError} when the text is no mapping in YAML
 */
export async function changeSettings(
  text: string,
  values: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>>,
): Promise<string> {
  const { Document, isMap, parseDocument } = await import('yaml')
  const parsed = parseDocument(text)
  const document = parsed.contents === null ? new Document({}) : parsed
  if (parsed.errors.length > 0 || !isMap(document.contents)) {
    throw new ConfigError('The existing settings file cannot be read', {
      hint: 'Correct it so that it has one setting per line, or move it away.',
    })
  }
  for (const [name, value] of Object.entries(values)) document.set(name, value)
  for (const [name, value] of Object.entries(defaults)) {
    if (!document.has(name)) document.set(name, value)
  }
  for (const name of ['auth-token-secret', 'token']) document.delete(name) // in a file of its own
  return document.toString()
}

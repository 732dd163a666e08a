/**
 * One word, safe in any line of bash.
 *
 * @module
 */

/** Inside single quotes every character stands for itself, so only the single quote needs care. */
export function quoteWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/**
 * Suggests the word that somebody probably meant.
 *
 * @module
 */

/** Up to a third of the letters may be wrong. */
const LETTERS_PER_ERROR = 3

/** @returns a sentence to put before a hint; empty if no word is similar */
export function suggest(word: string, words: readonly string[]): string {
  const [best] = words
    .map((known) => ({ known, errors: countErrors(word, known) }))
    .filter(({ errors }) => errors * LETTERS_PER_ERROR <= word.length)
    .sort((a, b) => a.errors - b.errors)
  return best === undefined ? '' : `Did you mean ${best.known}? `
}

/**
 * Counts letters that were added, left out or replaced, and neighbours that were swapped.
 *
 * @see https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance, optimal string alignment
 */
function countErrors(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    rows.push(row)
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const haveChangedPlaces = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (isSame ? 0 : 1),
          haveChangedPlaces ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
  }
  return at(a.length, b.length)
}

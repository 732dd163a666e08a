/**
 * Paths of fields as messages show them, and as the keys that lead there. Pure.
 *
 * @module
 */

export type Keys = readonly (number | string)[]

/** A longer key is shown by its beginning. */
const MAX_KEY_CHARACTERS = 60

/** `compose.containers[0].image`; keys other than plain identifiers are quoted. */
export function formatPath(keys: Keys): string {
  return keys
    .map((key) => {
      if (typeof key === 'number') return `[${key}]`
      const text = shorten(key)
      return /^[\w-]+$/.test(text) ? `.${text}` : `[${JSON.stringify(text)}]`
    })
    .join('')
    .replace(/^\./, '')
}

/** `compose.containers[0].image` → `compose`, `containers`, 0, `image` */
export function parsePath(path: string): Keys {
  const parts = path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)
  return [...parts].map(([, index, quoted, word = '']) => {
    if (index !== undefined) return Number(index)
    return quoted === undefined ? word : String(JSON.parse(quoted))
  })
}

function shorten(key: string): string {
  return key.length > MAX_KEY_CHARACTERS ? `${key.slice(0, MAX_KEY_CHARACTERS)}…` : key
}

/**
 * File modes as `chmod` takes them, as numbers: images need not have the program. Pure.
 *
 * @see POSIX, chmod, "Extended description"
 * @module
 */

/** In an image nobody has a umask yet: the usual one. */
const USUAL_UMASK = 0o022

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]+|[ugo]?))+)$/
const ACTION = /([-+=])([rwxXst]+|[ugo]?)/g

const CLASS_BITS: Readonly<Record<string, number>> = {
  u: 0o4700,
  g: 0o2070,
  o: 0o1007,
  a: 0o7777,
}

const PERMISSION_BITS: Readonly<Record<string, number>> = {
  r: 0o444,
  w: 0o222,
  x: 0o111,
  s: 0o6000,
  t: 0o1000,
}

/** How far a class's three bits are to be shifted. */
const CLASS_SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 }

/**
 * @param umask decides what `chmod` would find, and which bits clauses that name nobody (`+x`) leave alone
 * @returns permission bits of a new file with that mode; undefined for what is no mode
 */
export function parseFileMode(text: string, umask = USUAL_UMASK): number | undefined {
  if (/^0*[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8)
  let mode = 0o666 & ~umask
  for (const clause of text.split(',')) {
    const [, who, actions] = CLAUSE.exec(clause) ?? []
    if (who === undefined || actions === undefined) return undefined
    for (const [, operator = '', permissions = ''] of actions.matchAll(ACTION)) {
      const bits = permissionBits(mode, permissions) & (who === '' ? ~umask : ~0)
      mode = change(mode, who, operator, bits)
    }
  }
  return mode
}

function change(mode: number, who: string, operator: string, permissions: number): number {
  const concerned = who === '' ? 0o7777 : sum(who, (name) => CLASS_BITS[name] ?? 0)
  const bits = permissions & concerned
  if (operator === '+') return mode | bits
  if (operator === '-') return mode & ~bits
  return (mode & ~concerned) | bits
}

function permissionBits(mode: number, permissions: string): number {
  const shift = CLASS_SHIFT[permissions]
  if (shift !== undefined) return ((mode >> shift) & 0o7) * 0o111
  return sum(permissions, (name) => {
    if (name === 'X') return (mode & 0o111) === 0 ? 0 : 0o111
    return PERMISSION_BITS[name] ?? 0
  })
}

function sum(names: string, bitsOf: (name: string) => number): number {
  return [...names].reduce((bits, name) => bits | bitsOf(name), 0)
}

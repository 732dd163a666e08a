/**
 * Several at once, and in their order all the same.
 *
 * @module
 */

/**
 * @param atOnce how many are under way at the most
 * @throws the first failure, of the items or of the work; like whoever stops iterating, only when
 *   nothing is under way any more
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void> {
  const underWay: Promise<Result>[] = []
  try {
    for await (const item of items) {
      const result = work(item)
      result.catch(() => undefined) // it is thrown when its turn comes
      underWay.push(result)
      const next = underWay.length >= atOnce ? underWay.shift() : undefined
      if (next !== undefined) yield await next
    }
    for (let next = underWay.shift(); next !== undefined; next = underWay.shift()) yield await next
  } finally {
    await Promise.allSettled(underWay)
  }
}

/** @returns a function that does work at once, or when less than `count` of others is under way */
export function createGate(
  count: number,
): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const waiting: (() => void)[] = []
  let free = count
  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}

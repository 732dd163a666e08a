/** What the bench prints: a line for each figure, held against its goal. */

/** Of which the median counts. */
export const RUNS = 5

export async function figure(
  name: string,
  goal: number,
  unit: string,
  take: () => Promise<number>,
  runs = RUNS,
): Promise<void> {
  const values: number[] = []
  for (let run = 0; run < runs; run++) values.push(await take())
  const value = median(values)
  report(name, `${value.toFixed(2)} ${unit}`, value, goal)
}

export function report(name: string, figures: string, value: number, goal: number): void {
  const verdict = value <= goal ? 'ok' : 'MISSED'
  console.log(
    `${name.padEnd(58)} ${figures.padStart(22)} ${value.toFixed(2).padStart(8)}  goal ${goal} ${verdict}`,
  )
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** @param share of the values that are not above it, 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

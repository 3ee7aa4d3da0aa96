/**
 * Works on `count` items at a time, and begins an item only when it is its turn: with 50,000 files, 50,000 promises would cost more memory
 * than their content.
 */
export async function eachInParallel<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker))
}

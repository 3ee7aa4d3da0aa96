/**
 * Works on `count` items at a time, and begins an item only when it is its turn: with 50,000 files, 50,000 promises would cost more memory
 * than their content.
 *
 * @returns the results, in the items' order
 */
export async function mapInParallel<T, R>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const rest = items.entries()
  const worker = async () => {
    for (const [index, item] of rest) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker))
  return results
}

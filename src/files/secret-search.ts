/** Returns the indexes of the values that the bytes contain. */
export type Search = (bytes: Uint8Array) => Set<number>

/**
 * Searches for several values at once. `Buffer.includes` for each takes twice as long with 3 values, and 4 to 12 times as long with 20.
 *
 * The search looks at one pair of neighbouring bytes per step. A step is one byte shorter than the shortest value, so every occurrence of a
 * value contains one of these pairs.
 *
 * @param values of two bytes or more
 */
export function searchFor(values: readonly Uint8Array[]): Search {
  if (values.length === 0) return () => new Set()
  const step = Math.min(...values.map(({ length }) => length)) - 1
  const isInValue = new Uint8Array(2 ** 16)
  const places = new Map<number, { index: number; value: Uint8Array; at: number }[]>()
  for (const [index, value] of values.entries()) {
    for (let at = 0; at < step; at++) {
      const pair = pairAt(value, at)
      if (!places.has(pair)) places.set(pair, [])
      places.get(pair)?.push({ index, value, at })
      isInValue[pair] = 1
    }
  }
  return (given) => {
    const found = new Set<number>()
    // V8 reads a Buffer at half the speed.
    const bytes = new Uint8Array(given.buffer, given.byteOffset, given.length)
    let from = nextPair(isInValue, bytes, 0, step)
    for (; from >= 0; from = nextPair(isInValue, bytes, from + step, step)) {
      for (const { index, value, at } of places.get(pairAt(bytes, from)) ?? []) {
        if (!found.has(index) && isAt(from - at, value, bytes)) found.add(index)
      }
    }
    return found
  }
}

function pairAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

/** The position of the next pair of a value, or -1. V8 compiles this function to a tight loop. */
function nextPair(isInValue: Uint8Array, bytes: Uint8Array, from: number, step: number): number {
  const end = bytes.length - 1
  for (let at = from; at < end; at += step) if (isInValue[pairAt(bytes, at)] !== 0) return at
  return -1
}

function isAt(begin: number, value: Uint8Array, bytes: Uint8Array): boolean {
  // Backwards: in a run of one letter, only the end differs.
  for (let at = value.length - 1; at >= 0; at--) if (bytes[begin + at] !== value[at]) return false
  return true
}

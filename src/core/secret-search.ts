/** Which of several values occur in bytes, by their index. */
export type Search = (bytes: Uint8Array) => Set<number>

/**
 * Looks for several values at once, several times as fast as `Buffer.includes` for each: it looks at two neighbouring bytes, and skips as many as the
 * shortest value has. Wherever a value is, one of those pairs lies in its first part, and of other pairs few are in any value.
 *
 * Its text is run in threads, too: it uses nothing from outside of it.
 *
 * @param values of two bytes or more
 */
export function searchFor(values: readonly Uint8Array[]): Search {
  const pairAt = (bytes: Uint8Array, at: number) => (bytes[at] as number) | ((bytes[at + 1] as number) << 8)

  /** Where the next pair stands that is in a value, or -1. */
  const nextPair = (isInValue: Uint8Array, bytes: Uint8Array, from: number, step: number): number => {
    const end = bytes.length - 1
    for (let at = from; at < end; at += step) if (isInValue[pairAt(bytes, at)] !== 0) return at
    return -1
  }

  const isAt = (begin: number, value: Uint8Array, bytes: Uint8Array): boolean => {
    // Its end first: where both are runs of one letter, all else is alike.
    const last = value.length - 1
    if (bytes[begin + last] !== value[last]) return false
    for (let at = 0; at < last; at++) if (bytes[begin + at] !== value[at]) return false
    return true
  }

  const step = Math.min(...values.map(({ length }) => length)) - 1
  const isInValue = new Uint8Array(2 ** 16)
  const places = new Map<number, { index: number; value: Uint8Array; at: number }[]>()
  for (const [index, value] of values.entries()) {
    for (let at = 0; at < step; at++) {
      const pair = pairAt(value, at)
      const there = places.get(pair) ?? []
      there.push({ index, value, at })
      places.set(pair, there)
      isInValue[pair] = 1
    }
  }
  return (given) => {
    const found = new Set<number>()
    if (values.length === 0) return found
    // What is a Buffer is read at half the speed.
    const bytes = new Uint8Array(given.buffer, given.byteOffset, given.length)
    for (
      let from = nextPair(isInValue, bytes, 0, step);
      from >= 0;
      from = nextPair(isInValue, bytes, from + step, step)
    ) {
      for (const { index, value, at } of places.get(pairAt(bytes, from)) ?? []) {
        if (!found.has(index) && isAt(from - at, value, bytes)) found.add(index)
      }
    }
    return found
  }
}

/** What the SDK's request handler takes for an AbortSignal, by its oldest definition. */
export interface Ending {
  readonly aborted: boolean
  readonly reason: unknown
  onabort: (() => void) | null
}

const underWay = new WeakMap<AbortSignal, (Ending | undefined)[]>()

/**
 * Runs a request that ends when a signal aborts which many requests share. The signal has one listener for all of them, and what is under way
 * stands in places that are used again. A list of listeners, and a Set, keep links from what has left them to what came later: all that was
 * ever sent would stay in memory until the next full collection.
 */
export async function underShared<T>(
  signal: AbortSignal | undefined,
  send: (ending: Ending | undefined) => Promise<T>,
): Promise<T> {
  if (!signal) return send(undefined)
  const ending: Ending = {
    get aborted() {
      return signal.aborted
    },
    get reason() {
      return signal.reason
    },
    onabort: null,
  }
  const places = underWay.get(signal) ?? watch(signal)
  const free = places.indexOf(undefined)
  const place = free < 0 ? places.length : free
  places[place] = ending
  try {
    return await send(ending)
  } finally {
    places[place] = undefined
  }
}

function watch(signal: AbortSignal): (Ending | undefined)[] {
  const places: (Ending | undefined)[] = []
  underWay.set(signal, places)
  const endAll = () => {
    for (const ending of places) ending?.onabort?.()
  }
  signal.addEventListener('abort', endAll, { once: true })
  return places
}

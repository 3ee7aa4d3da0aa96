/** What the SDK's request handler takes for an AbortSignal, by its oldest definition. */
export interface Ending {
  readonly aborted: boolean
  readonly reason: unknown
  onabort: (() => void) | null
}

interface Watched {
  /** What is under way, in places that are used again. */
  places: (Ending | undefined)[]
  count: number
  unwatch(): void
}

const watched = new WeakMap<AbortSignal, Watched>()

/**
 * Runs a request that ends when a signal aborts which many requests share. The signal has one listener for all of them. A list of listeners,
 * and a Set, keep links from what has left them to what came later: all that was ever sent would stay in memory until the next full collection.
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
  const all = watched.get(signal) ?? watch(signal)
  const free = all.places.indexOf(undefined)
  const place = free < 0 ? all.places.length : free
  all.places[place] = ending
  all.count++
  try {
    return await send(ending)
  } catch (error) {
    // What was refused before all of its body had gone would hold its socket. What is over has none any more.
    ending.onabort?.()
    throw error
  } finally {
    all.places[place] = undefined
    // Node keeps a signal that is made of others for as long as somebody listens to it.
    if (--all.count === 0) all.unwatch()
  }
}

function watch(signal: AbortSignal): Watched {
  const places: Watched['places'] = []
  const endAll = () => {
    for (const ending of places) ending?.onabort?.()
  }
  signal.addEventListener('abort', endAll, { once: true })
  const unwatch = () => {
    signal.removeEventListener('abort', endAll)
    watched.delete(signal)
  }
  const all = { places, count: 0, unwatch }
  watched.set(signal, all)
  return all
}

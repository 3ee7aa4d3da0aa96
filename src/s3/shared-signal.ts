/**
 * What the SDK's request handler takes for an AbortSignal, by its oldest definition. A class: each literal with accessors would bring a
 * hidden class of its own, which only a full collection takes away.
 */
export class Ending {
  readonly #signal: AbortSignal
  onabort: (() => void) | null = null

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  get aborted(): boolean {
    return this.#signal.aborted
  }

  get reason(): unknown {
    return this.#signal.reason
  }
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
  const ending = new Ending(signal)
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
    // What V8 has taken for long-lived would keep all that hangs on it.
    ending.onabort = null
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

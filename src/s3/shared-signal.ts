/** What the SDK's request handler takes for an AbortSignal, by its oldest definition. */
export interface Ending {
  readonly aborted: boolean
  readonly reason: unknown
  onabort: (() => void) | null
}

const underWay = new WeakMap<AbortSignal, Set<Ending>>()

/**
 * Runs a request that ends when a signal aborts which many requests share. The signal has one listener for all of them: each new one would be
 * compared with all that are there.
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
  const endings = underWay.get(signal) ?? watch(signal)
  endings.add(ending)
  try {
    return await send(ending)
  } finally {
    endings.delete(ending)
  }
}

function watch(signal: AbortSignal): Set<Ending> {
  const endings = new Set<Ending>()
  underWay.set(signal, endings)
  const endAll = () => {
    for (const { onabort } of endings) onabort?.()
  }
  signal.addEventListener('abort', endAll, { once: true })
  return endings
}

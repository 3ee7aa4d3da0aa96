import { StaticS3Error } from './error.js'

/** Ctrl-C or SIGTERM stops a deploy in two steps, because it may give up its lock only after the last response. */
export interface Stop {
  /** Aborted at once, with a StaticS3Error: no new request begins. */
  begun: AbortSignal
  /** Aborted a little later: open requests are cut off. */
  cut: AbortSignal
}

export const unstoppable: Stop = { begun: new AbortController().signal, cut: new AbortController().signal }

export interface SignalStop extends Stop {
  /** The work's result. Rejects with the reason of the stop if no time is left. */
  within<T>(work: Promise<T>): Promise<T>
  /** Stops listening. After a signal, it ends the process, unless others listen to that signal too. */
  end(): Promise<void>
}

/** Milliseconds after the signal. Impatient people kill a process that does not end within a second. */
const cutAfter = 600
const endAfter = 900
/**
 * Milliseconds. One Ctrl-C may arrive twice within this time: Vite's command line sends itself the signal again, and npm repeats the terminal's
 * signal. No user presses twice this fast.
 */
const sameWithin = 300

const numbers = { SIGINT: 2, SIGTERM: 15 } as const
type Signal = keyof typeof numbers

const signals = Object.keys(numbers) as Signal[]
/** The running deploys of this process, one for each compiler. The process ends after the last one. */
const atWork = new Set<(signal: Signal) => void>()
let received: Signal | undefined
let nextEnds = false
let sameUntil: NodeJS.Timeout | undefined

// Stays until the end: other listeners, such as signal-exit, end the process if they are the only ones.
function onSignal(signal: Signal): void {
  if (received !== undefined) {
    if (nextEnds) endProcess(signal)
    return
  }
  received = signal
  // After a long task, Node runs timers before it reads signals, and immediates after that.
  sameUntil = setTimeout(() => setImmediate(() => (nextEnds = received !== undefined)), sameWithin)
  for (const begin of atWork) begin(signal)
}

function listen(): void {
  for (const name of signals) process.on(name, onSignal)
}

function unlisten(): void {
  for (const name of signals) process.removeListener(name, onSignal)
}

function endProcess(signal: Signal): void {
  unlisten()
  // By the signal itself, so that a shell script stops too.
  if (process.platform !== 'win32') process.kill(process.pid, signal)
  // Windows has no signals. Elsewhere, the signal arrives in a moment.
  setTimeout(() => process.exit(128 + numbers[signal]), process.platform === 'win32' ? 0 : 50)
}

/** Listens to SIGINT and SIGTERM. The user's second signal ends the process at once. */
export function stopBySignal(): SignalStop {
  const begun = new AbortController()
  const cut = new AbortController()
  const over = new AbortController()
  const timers: NodeJS.Timeout[] = []

  const begin = (signal: Signal) => {
    const reason = new StaticS3Error(`static-s3: stopped by ${signal}.`)
    begun.abort(reason)
    const late = new StaticS3Error(`${reason.message} Some requests had not ended; the next run continues.`)
    timers.push(
      setTimeout(() => cut.abort(reason), cutAfter),
      setTimeout(() => over.abort(late), endAfter),
    )
  }
  if (atWork.size === 0) listen()
  atWork.add(begin)
  if (received !== undefined) begin(received)

  return {
    begun: begun.signal,
    cut: cut.signal,
    within: (work) => unlessAborted(over.signal, work),
    async end() {
      if (!atWork.delete(begin)) return
      for (const timer of timers) clearTimeout(timer)
      if (atWork.size > 0) return
      unlisten()
      const signal = received
      received = undefined
      nextEnds = false
      clearTimeout(sameUntil)
      if (signal === undefined || process.listenerCount(signal) > 0) return
      endProcess(signal)
      await new Promise(() => {})
    },
  }
}

/** The work's result. Rejects with the signal's reason if that comes first. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

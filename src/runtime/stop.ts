import { StaticS3Error } from './error.js'

/** The end of a deploy by Ctrl-C or SIGTERM, in two steps: its lock can be given up only when all that was sent has been answered. */
export interface Stop {
  /** Aborted at once, with a StaticS3Error: nothing more is begun. */
  begun: AbortSignal
  /** Aborted a little later: what is on its way is cut off. */
  cut: AbortSignal
}

/** For work that nobody stops. */
export const unstoppable: Stop = { begun: new AbortController().signal, cut: new AbortController().signal }

export interface SignalStop extends Stop {
  /** What comes of the work, or the reason of the stop when there is no time left to wait for it. */
  within<T>(work: Promise<T>): Promise<T>
  /** No longer listens. Where the process was told to stop, it ends here, unless somebody else listens to that signal too. */
  end(): Promise<void>
}

/** Milliseconds after the signal. A process that doesn't end within a second is killed by impatient people. */
const cutAfter = 600
const endAfter = 900
/**
 * One Ctrl-C may arrive twice: Vite's command line sends the signal to itself again, and npm passes on what the terminal has sent to
 * both already. No user presses twice this fast.
 */
const sameWithin = 300

const numbers = { SIGINT: 2, SIGTERM: 15 } as const
type Signal = keyof typeof numbers

const signals = Object.keys(numbers) as Signal[]
/** The deploys at work in this process: with several compilers there are several. It ends when all of them have. */
const atWork = new Set<(signal: Signal) => void>()
let received: Signal | undefined
let nextEnds = false
let sameUntil: NodeJS.Timeout | undefined

// Listened to until the end: others that clean up, such as signal-exit, end the process where nobody else listens.
function onSignal(signal: Signal): void {
  if (received !== undefined) {
    if (nextEnds) endProcess(signal)
    return
  }
  received = signal
  // After a long task, timers run before signals are read, and immediates after that.
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
  // By the signal itself, so that a shell script stops, too: its exit code there is 128 and the signal's number.
  if (process.platform !== 'win32') process.kill(process.pid, signal)
  // Windows knows no signals; elsewhere it comes in a moment.
  setTimeout(() => process.exit(128 + numbers[signal]), process.platform === 'win32' ? 0 : 50)
}

/** Listens to the signals that stop a process. The user's second one ends it at once. */
export function stopBySignal(): SignalStop {
  const begun = new AbortController()
  const cut = new AbortController()
  const over = new AbortController()
  const timers: NodeJS.Timeout[] = []

  const begin = (signal: Signal) => {
    const reason = new StaticS3Error(`static-s3: stopped by ${signal}.`)
    begun.abort(reason)
    const late = new StaticS3Error(`${reason.message} Not all that was on its way has ended; the next run carries on.`)
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

/** What comes of the work, or the signal's reason when it is aborted first. */
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

import { StaticS3Error } from '../runtime/error.js'

/** A deploy that goes live along with others. */
export interface Part {
  /** For the user. */
  name: string
  /** Finds the part's files, then checks them, then releases them. */
  steps: AsyncGenerator<void, void>
  stop(): void
}

/**
 * Takes each step of all parts before the next one: the checks of all parts come before the first release. Call `stopAll` afterwards.
 *
 * @throws StaticS3Error if a part cannot be published; later parts are then not published either
 */
export async function publishTogether(parts: readonly Part[]): Promise<void> {
  const live: string[] = []
  try {
    for (const step of ['find', 'check', 'release']) {
      for (const { name, steps } of parts) {
        await steps.next()
        if (step === 'release') live.push(name)
      }
    }
  } catch (error) {
    throw live.length > 0 ? withOthers(error, live, parts) : error
  }
}

export async function stopAll(parts: readonly Part[]): Promise<void> {
  for (const { stop } of parts) stop()
  for (const { steps } of parts) await steps.return()
}

/** The error of a part's release, with the state of the other parts. */
function withOthers(error: unknown, live: readonly string[], parts: readonly Part[]): unknown {
  if (!(error instanceof StaticS3Error)) return error
  const [failed, ...rest] = parts.slice(live.length).map(({ name }) => name)
  const notBegun = rest.length > 0 ? ` Not begun: ${rest.join(', ')}.` : ''
  return new StaticS3Error(
    `${error.message}\nThis is the state of ${failed}. Live already: ${live.join(', ')}.${notBegun} Run it again to bring up the missing files.`,
    { cause: error.cause },
  )
}

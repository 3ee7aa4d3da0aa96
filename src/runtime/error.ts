/** `DEBUG=static-s3` shows stacks and causes. */
export const debugging = (): boolean => process.env.DEBUG?.includes('static-s3') ?? false

/** `inspect.custom` by its public name: importing `node:util` makes Node look at all of it, in 3 ms of a build where the plugin is off. */
const inspectCustom = Symbol.for('nodejs.util.inspect.custom')

/**
 * Every problem that static-s3 reports. The message is the whole report: what failed, the value, S3's own code, what to do.
 * Bundlers print an error's stack, which here is that message too.
 */
export class StaticS3Error extends Error {
  override name = 'StaticS3Error'

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    if (debugging()) return
    this.stack = message
    // Vite 8 prints what `inspect` says, with all the properties that it has added itself.
    Object.defineProperty(this, inspectCustom, { value: () => message })
  }
}

/** What to do where uploads leave the line no room for anything else. */
export const forSlowLine = 'On a slow line, lower concurrency (STATIC_S3_CONCURRENCY).'

/** The message for a log that names the plugin itself. */
export function plain(error: unknown): string {
  return (error as Error).message.replace(/^static-s3: /, '')
}

/** What S3 answered, where an error is about a request; no status where no answer came. */
export interface ErrorAnswer {
  /** HTTP status. */
  status: number | undefined
  code: string | undefined
  /** Whether one of the attempts may have been carried out, though nobody said so. */
  unanswered: boolean
}

export function answerOf(error: unknown): ErrorAnswer {
  const cause = (error as Error).cause
  if (cause === undefined) return { status: undefined, code: undefined, unanswered: false }
  if (cause instanceof StaticS3Error) return answerOf(cause)
  const { status, name, unanswered } = cause as { status?: number; name?: string; unanswered?: boolean }
  return { status, code: name, unanswered: unanswered ?? status === undefined }
}

/** Whether S3 forbids what was asked: who may not do it today may not do it on another try. */
export function isForbidden(error: unknown): boolean {
  const { status } = answerOf(error)
  return status === 403 || status === 405
}

/** What the file system said, as an error that is ready to be shown; anything else as it is. */
export function readable(thrown: unknown): unknown {
  const { path, code, syscall } = thrown as NodeJS.ErrnoException
  return path === undefined || code === undefined || syscall === undefined
    ? thrown
    : new StaticS3Error(`static-s3: ${path}: ${code}`)
}

import { printable } from './printable.js'

/** `DEBUG=static-s3` shows stacks and causes. */
export const debugging = (): boolean => process.env.DEBUG?.includes('static-s3') ?? false

/** `inspect.custom` by its public name: an import of `node:util` takes 3 ms, even if the plugin is off. */
const inspectCustom = Symbol.for('nodejs.util.inspect.custom')

/** A problem for the user. The message is the whole report. Bundlers print an error's stack, so the stack is the message too. */
export class StaticS3Error extends Error {
  override name = 'StaticS3Error'

  constructor(text: string, options?: ErrorOptions) {
    const message = printable(text)
    super(message, options)
    if (debugging()) return
    // vue-cli prints an error, then its stack.
    this.stack = process.env.VUE_CLI_BUILD_TARGET ? '' : message
    // Vite 8 adds properties to an error and prints it with `inspect`.
    Object.defineProperty(this, inspectCustom, { value: () => message })
  }
}

/** What to do if uploads leave the line no room for anything else. */
export const forSlowLine = 'On a slow line, lower concurrency (STATIC_S3_CONCURRENCY).'

/** The message without its prefix, for a log that names the plugin itself. */
export function plain(error: unknown): string {
  return (error as Error).message.replace(/^static-s3: /, '')
}

export interface ErrorResponse {
  /** The HTTP status; undefined without a response. */
  status: number | undefined
  code: string | undefined
  /** The bucket's region, if the store names it. */
  region: string | undefined
  /** True if S3 may have carried out an attempt whose response was lost. */
  unanswered: boolean
}

/** The response that caused an error. */
export function responseOf(error: unknown): ErrorResponse {
  const cause = (error as Error).cause
  if (cause === undefined) return { status: undefined, code: undefined, region: undefined, unanswered: false }
  if (cause instanceof StaticS3Error) return responseOf(cause)
  const { status, name, region, unanswered } = cause as Partial<ErrorResponse> & { name?: string }
  return { status, code: name, region, unanswered: unanswered ?? status === undefined }
}

/** True if the store may still carry out the failed request. */
export function mayStillArrive(error: unknown): boolean {
  const { status, unanswered } = responseOf(error)
  return status === undefined || unanswered
}

/** True if S3 forbids the request: another attempt would fail too. */
export function isForbidden(error: unknown): boolean {
  const { status } = responseOf(error)
  return status === 403 || status === 405
}

/**
 * The store's reason to refuse a write with `If-None-Match: *`; undefined for any other error.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function refusedCondition(error: unknown): 'exists' | 'unsupported' | undefined {
  const { status, code = '' } = responseOf(error)
  // 409: another write of this key was under way.
  if (status === 409 || status === 412) return 'exists'
  if (status === 501 || (status === 400 && /^Invalid(Argument|Request|Header)$/.test(code))) return 'unsupported'
  return undefined
}

/** Turns an error of the file system into one for the user, and returns any other error unchanged. */
export function readable(thrown: unknown): unknown {
  const { path, code, syscall } = thrown as NodeJS.ErrnoException
  return path === undefined || code === undefined || syscall === undefined
    ? thrown
    : new StaticS3Error(`static-s3: ${path}: ${code}`)
}

/** `DEBUG=static-s3` */
const debugging = (): boolean => process.env.DEBUG?.includes('static-s3') ?? false

/**
 * Every problem that static-s3 reports. The message is the whole report: what failed, the value, S3's own code, what to do.
 * Bundlers print an error's stack, or everything about it and its cause: here all of that is the one message, unless
 * `DEBUG=static-s3` asks for more.
 */
export class StaticS3Error extends Error {
  override name = 'StaticS3Error'

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    if (!debugging()) this.stack = message
  }

  /** What `console.error(error)` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.stack ?? this.message
  }
}

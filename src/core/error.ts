/**
 * Every problem that static-s3 reports. The message is the whole report: what failed, the value, S3's own code, what to do.
 * The stack is that one message too, so that no bundler prints our call stack under it; `DEBUG=static-s3` keeps it.
 */
export class StaticS3Error extends Error {
  override name = 'StaticS3Error'

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    if (!process.env.DEBUG?.includes('static-s3')) this.stack = message
  }
}

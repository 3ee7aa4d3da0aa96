import { StaticS3Error } from '../../runtime/error.js'
import { redact, redactSecrets } from '../../runtime/redact.js'
import { templateFor } from './explanations.js'
import { fill, regionOf } from './facts.js'
import { describeRequest, type ExplainContext } from './request.js'
import { readError, type S3Error } from './s3-error.js'

/**
 * Turns an error of S3, the SDK or the network into the message for the user: the request, the fact with S3's code, the remedy. Neither the
 * message nor `cause` contains a key id, secret, token or signature. A StaticS3Error stays as it is.
 *
 * `cause` has S3's code as its `name`, and `status`, `requestId` and the `region` of the bucket, if the store names it.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export function explain(thrown: unknown, context: ExplainContext): StaticS3Error {
  if (thrown instanceof StaticS3Error) return thrown
  const error = readError(thrown)
  const explanation = fill(templateFor(error, context), error, context)
  const message = `static-s3: ${describeRequest(context)}: ${explanation}`
  return new StaticS3Error(redactSecrets(message, context.secrets), { cause: redactedCopy(thrown, error, context) })
}

/** The error for an aborted signal: its reason, if that can be shown. */
export function explainAbort(reason: unknown, context: ExplainContext): StaticS3Error {
  if (reason instanceof StaticS3Error) return reason
  return new StaticS3Error(`static-s3: ${describeRequest(context)}: stopped`, { cause: reason })
}

/** Node prints all fields of a cause, and the SDK's errors have fields in which S3 repeats the signed request. */
function redactedCopy(thrown: unknown, error: S3Error, { secrets }: ExplainContext): Error {
  const { code, status, message, requestId } = error
  const frames = thrown instanceof Error ? (thrown.stack?.match(/^ {4}at .+$/gm) ?? []) : []
  const copy = new Error(redact(message, secrets))
  copy.name = redact(code, secrets) || 'Error'
  // The message may have lines that look like frames.
  copy.stack = redact([`${copy.name}: ${copy.message}`, ...frames].join('\n'), secrets)
  return Object.assign(copy, { status, requestId: redact(requestId, secrets) || undefined, region: regionOf(error) })
}

import { StaticS3Error } from '../../runtime/error.js'
import { explanationFor } from './explanations.js'
import { redact, redactSecrets } from './redact.js'
import { describeRequest, type ExplainContext } from './request.js'
import { readAnswer, type S3Answer } from './s3-answer.js'

/**
 * Turns what S3, the SDK or the network said into the error that the user sees: what was being done, the fact with S3's
 * own code, and the setting or command that helps. It holds no key id, secret, token or signature.
 *
 * `cause` is a copy of the original without the fields in which S3 repeats the signed request: its `name` is S3's code,
 * and `status` and `requestId` are there too. A StaticS3Error comes back as it is.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
export function explain(error: unknown, context: ExplainContext): StaticS3Error {
  if (error instanceof StaticS3Error) return error
  const answer = readAnswer(error)
  const { fact, remedy } = explanationFor(answer, context)
  const code = answer.code === '' || OUR_OWN.has(answer.code) ? '' : ` (${answer.code})`
  const message = `static-s3: ${describeRequest(context)}: ${fact}${code}. ${remedy}`
  return new StaticS3Error(redactSecrets(message, context.secrets), {
    cause: copyWithoutSecrets(error, answer, context),
  })
}

/** The error of a call whose signal was aborted. A reason that can be shown is shown. */
export function explainAbort(reason: unknown, context: ExplainContext): StaticS3Error {
  if (reason instanceof StaticS3Error) return reason
  return new StaticS3Error(`static-s3: ${describeRequest(context)}: stopped`, { cause: reason })
}

const OUR_OWN = new Set(['BadProxy', 'BodyChanged', 'BodyUnreadable', 'InvalidRegion', 'NoS3Answer'])

/** Node prints an error's cause with all its fields, and the SDK keeps there what S3 repeats of the signed request. */
function copyWithoutSecrets(thrown: unknown, answer: S3Answer, { secrets }: ExplainContext): Error {
  const message = redact(answer.message, secrets)
  const frames = thrown instanceof Error ? (thrown.stack?.match(/^ {4}at .+$/gm) ?? []) : []
  const copy = new Error(message)
  copy.name = redact(answer.code, secrets) || 'Error'
  // The stack begins with the message, which may have lines that look like its own.
  copy.stack = redact([`${copy.name}: ${message}`, ...frames].join('\n'), secrets)
  return Object.assign(copy, { status: answer.status, requestId: redact(answer.requestId, secrets) || undefined })
}

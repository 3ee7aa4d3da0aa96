import { createHash } from 'node:crypto'
import { type Body, type ObjectParameters, smallBytes } from '../../bucket/bucket.js'
import { readError } from '../errors/s3-error.js'
import { withBody } from './body.js'

/**
 * Large bodies have no MD5, since their SHA-256 protects them. Object Lock requires one, by parameter or by default of the bucket: then the body
 * is read once more. `putObject` hashes small bodies.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export function addMd5IfRequired() {
  let isRequired = false

  return async (
    body: Body,
    parameters: ObjectParameters,
    signal: AbortSignal | undefined,
    send: (body: Body) => Promise<string>,
  ): Promise<string> => {
    if (body.md5 !== undefined || body.size <= smallBytes) return send(body)
    const sendWithMd5 = async () => send({ ...body, md5: await md5Of(body, signal) })
    if (isRequired || Object.keys(parameters).some((name) => name.startsWith('ObjectLock'))) return sendWithMd5()
    try {
      return await send(body)
    } catch (error) {
      const { status, code, message } = readError(error)
      // A store that refuses the head may hang up, so that the refusal is lost: the retry has an MD5.
      if (code === 'ECONNRESET' || code === 'EPIPE') isRequired = true
      // AWS sends InvalidRequest with this text, other stores MissingContentMD5. A Digest code means a wrong MD5.
      if (status !== 400 || !/content-?md5/i.test(`${code} ${message}`) || code.endsWith('Digest')) throw error
      isRequired = true
      return sendWithMd5()
    }
  }
}

function md5Of(body: Body, signal: AbortSignal | undefined): Promise<string> {
  return withBody(body, async (content) => {
    const md5 = createHash('md5')
    for await (const piece of Buffer.isBuffer(content) ? [content] : content) {
      signal?.throwIfAborted()
      md5.update(piece)
    }
    return md5.digest('hex')
  })
}

import { createHash } from 'node:crypto'
import type { Body, ObjectParameters } from '../../bucket/bucket.js'
import { smallBytes } from '../../bucket/bucket.js'
import { StaticS3Error } from '../../runtime/error.js'
import { readAnswer } from '../errors/s3-answer.js'
import { unreadable } from './body.js'

type Send = (body: Body) => Promise<string>

/** Node's names for a connection that the other side has closed. */
const hungUp = new Set(['ECONNRESET', 'EPIPE'])
/** S3's codes for an MD5 that is there and wrong. */
const damaged = new Set(['BadDigest', 'InvalidDigest'])

/**
 * Sends large bodies of whose content only the SHA-256 is known. That is enough for what arrives to be checked, but for Object Lock: where it may be
 * at work, the content is read once more for its MD5. Small ones have one made of the bytes that are sent (see `putObject`).
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export function md5WhereAskedFor() {
  let asked = false
  const cutOff = new WeakSet<Body>()

  return async (
    body: Body,
    parameters: ObjectParameters,
    signal: AbortSignal | undefined,
    send: Send,
  ): Promise<string> => {
    if (body.md5 !== undefined || body.size <= smallBytes) return send(body)
    const sendWithMd5 = async () => send({ ...body, md5: await md5Of(body, signal) })
    const isLocked = Object.keys(parameters).some((name) => name.startsWith('ObjectLock'))
    if (isLocked || asked || cutOff.has(body)) return sendWithMd5()
    try {
      return await send(body)
    } catch (error) {
      const { status, code, message } = readAnswer(error)
      // Who refuses before the body is there may hang up, so that the refusal is lost.
      if (status === undefined && hungUp.has(code)) cutOff.add(body)
      // InvalidRequest with a text about it on AWS, by the bucket's default retention; MissingContentMD5 elsewhere.
      if (status !== 400 || !/content-?md5/i.test(`${code} ${message}`) || damaged.has(code)) throw error
      asked = true
      return sendWithMd5()
    }
  }
}

async function md5Of(body: Body, signal: AbortSignal | undefined): Promise<string> {
  const md5 = createHash('md5')
  try {
    const content = await body.open()
    for await (const piece of content instanceof Uint8Array ? [content] : content) {
      signal?.throwIfAborted()
      md5.update(piece)
    }
  } catch (error) {
    throw error instanceof StaticS3Error || signal?.aborted ? error : unreadable(error)
  }
  return md5.digest('hex')
}

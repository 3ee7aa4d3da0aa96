import { createHash } from 'node:crypto'
import { isForbidden, responseOf } from '../../runtime/error.js'
import type { Call } from '../errors/request.js'
import type { Transport } from '../http/transport.js'
import { elements, escapeXml, plainXml, rootOf, textsOf } from '../http/xml.js'

/** S3's limit for one request. */
const AT_ONCE = 1000

/** What XML 1.0 can't express (https://www.w3.org/TR/xml/#charsets). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that it is about
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/

/** Deletes these keys, as few requests as there can be; a key that isn't there is no error. */
export async function deleteObjects(
  transport: Transport,
  call: Call,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const deleteOne = async (key: string) => {
    await call({ verb: 'DELETE', keys: [key] }, signal, () => transport.send({ method: 'DELETE', key }, signal))
  }
  const distinct = [...new Set(keys)]
  await Promise.all(distinct.filter((key) => NOT_XML.test(key)).map(deleteOne))
  const rest = distinct.filter((key) => !NOT_XML.test(key))
  for (let start = 0; start < rest.length; start += AT_ONCE) {
    const request = { verb: 'DELETE' as const, keys: rest.slice(start, start + AT_ONCE) }
    try {
      await call(request, signal, async () => {
        const [first, ...more] = await deleteTogether(transport, request.keys, signal)
        if (!first) return
        // The status is 200 whatever became of the keys. Another try is for those that are left.
        const again = new Set([first, ...more].map(({ Key }) => Key))
        const left = request.keys.filter((key) => again.has(key))
        if (left.length > 0) request.keys = left
        throw Object.assign(new Error(first.Message ?? ''), { name: first.Code ?? 'Unknown' })
      })
    } catch (error) {
      // Some stores know no such request, and Ceph 16 wants a right to the whole bucket for it.
      if (!isForbidden(error) && responseOf(error).status !== 501) throw error
      await Promise.all(request.keys.map(deleteOne))
    }
  }
}

/**
 * One DeleteObjects request, and what it couldn't delete. Its checksum is the one that every store takes, as AWS does.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 */
async function deleteTogether(
  transport: Transport,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Record<string, string>[]> {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('')
  const body = Buffer.from(
    `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects}<Quiet>true</Quiet></Delete>`,
  )
  const headers = {
    'content-type': 'application/xml',
    'content-length': String(body.length),
    'content-md5': createHash('md5').update(body).digest('base64'),
  }
  const answer = await transport.send({ method: 'POST', query: { delete: '' }, headers, body }, signal)
  const xml = plainXml(answer.body.toString())
  const root = rootOf(xml)
  // Asked to be quiet, a store may say nothing at all.
  if (xml.trim() !== '' && root !== 'DeleteResult' && root !== 'Error') {
    throw Object.assign(new Error('no list of keys'), { name: 'NoS3Answer' })
  }
  if (root === 'Error') return [textsOf(xml)]
  return [...elements(xml, 'Error')].map(textsOf).filter(({ Code }) => Code !== 'NoSuchKey')
}

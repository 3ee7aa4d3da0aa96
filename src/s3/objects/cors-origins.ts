import { readError } from '../errors/s3-error.js'
import type { Transport } from '../http/transport.js'
import { elements, plainXml, rootOf } from '../http/xml.js'

/**
 * The origins whose pages may read objects, by the bucket's CORS rules. Undefined if the rules can't be read: that needs `s3:GetBucketCORS`.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html
 */
export async function corsOrigins(transport: Transport, signal?: AbortSignal): Promise<string[] | undefined> {
  try {
    const { body } = await transport.send({ method: 'GET', query: { cors: '' } }, signal)
    const xml = plainXml(body.toString())
    if (rootOf(xml) !== 'CORSConfiguration') return undefined
    const rules = [...elements(xml, 'CORSRule')].filter((rule) => [...elements(rule, 'AllowedMethod')].includes('GET'))
    return rules.flatMap((rule) => [...elements(rule, 'AllowedOrigin')])
  } catch (error) {
    return readError(error).code === 'NoSuchCORSConfiguration' ? [] : undefined
  }
}

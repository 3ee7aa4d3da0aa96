import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import type { ListedObject } from '../core/bucket.js'

/**
 * Lists all objects below a prefix, page by page (1,000 keys each), in S3's order.
 *
 * @param page sends one ListObjectsV2 request
 * @throws Error named `NoS3Answer` where the answer is no listing, or where its pages don't get on
 */
export async function listObjects(
  bucket: string,
  prefix: string,
  page: (input: ListObjectsV2CommandInput) => Promise<ListObjectsV2CommandOutput>,
): Promise<ListedObject[]> {
  const objects: ListedObject[] = []
  const seen = new Set<string>()
  let token: string | undefined
  do {
    const answer = await page({
      Bucket: bucket,
      ...(prefix === '' ? {} : { Prefix: prefix }),
      ...(token === undefined ? {} : { ContinuationToken: token }),
      // XML 1.0 has no control characters, and parsers change line ends: such keys arrive only in this form.
      EncodingType: 'url',
    })
    // The SDK makes an empty listing of any XML, so a web page would pass for an empty bucket, and all of it be
    // uploaded anew.
    if (answer.IsTruncated === undefined) throw noListing('no listing')
    for (const { Key, Size, ETag } of answer.Contents ?? []) {
      const key = decodeKey(Key ?? '', answer.EncodingType)
      // A store that ignores the prefix mustn't have others' objects taken for ours.
      if (key.startsWith(prefix)) objects.push({ key, size: Size ?? 0, etag: unquote(ETag) })
    }
    token = answer.IsTruncated ? answer.NextContinuationToken : undefined
    if (answer.IsTruncated && (token === undefined || seen.has(token)))
      throw noListing('the pages of the listing do not get on')
    if (token !== undefined) seen.add(token)
  } while (token !== undefined)
  return objects
}

/** An ETag without its quotes, or '' for none. */
export function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '')
}

/**
 * A key as S3 lists it. With `EncodingType: url` it is encoded as in a form: AWS writes a space as `+`, Ceph as `%20`,
 * and both a plus sign as `%2B`. The SDK leaves that to its user. A store that doesn't echo the encoding didn't use it.
 */
function decodeKey(key: string, encoding: string | undefined): string {
  if (encoding !== 'url') return key
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw noListing(`a key that can't be decoded: ${key}`)
  }
}

function noListing(message: string): Error {
  return Object.assign(new Error(message), { name: 'NoS3Answer' })
}

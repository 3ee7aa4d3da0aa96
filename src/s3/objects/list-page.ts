import type { ListedObject } from '../../bucket/bucket.js'
import { compareKeys } from '../../bucket/key-order.js'
import { elements, plainXml, rootOf, textOf } from '../http/xml.js'

/** Where a page begins: at the beginning, behind a key, or where another page ended. */
export interface PageStart {
  'start-after'?: string
  'continuation-token'?: string
  'max-keys'?: string
}

/** One answer to ListObjectsV2: up to 1,000 keys. */
export interface Page {
  /** Those below the prefix. */
  objects: readonly ListedObject[]
  /** The first and the last key as the store lists them; undefined where there is none. */
  first: string | undefined
  last: string | undefined
  /** Whether its keys are in S3's order. */
  inOrder: boolean
  /** The token for the next page; undefined at the end of the listing. */
  next: string | undefined
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export function pageQuery(prefix: string, start: PageStart): Record<string, string> {
  return {
    'list-type': '2',
    ...(prefix === '' ? {} : { prefix }),
    ...start,
    // XML 1.0 has no control characters, and parsers change line ends: such keys arrive only in this form.
    'encoding-type': 'url',
  }
}

/** @throws Error named `NoS3Answer` where the answer is no page of a listing */
export function readPage(answer: string, prefix: string): Page {
  const xml = plainXml(answer)
  const isTruncated = textOf(xml, 'IsTruncated')
  // A web page mustn't pass for an empty bucket, so that all of it is uploaded anew.
  if (rootOf(xml) !== 'ListBucketResult' || isTruncated === undefined) throw noListing('no listing')
  const token = textOf(xml, 'NextContinuationToken')
  if (isTruncated === 'true' && !token) throw noListing('a page without the token for the next one')
  const encoding = textOf(xml, 'EncodingType')
  const listed = [...elements(xml, 'Contents')].map((object): ListedObject => {
    const time = Date.parse(textOf(object, 'LastModified') ?? '')
    return {
      key: decodeKey(textOf(object, 'Key') ?? '', encoding),
      size: Number(textOf(object, 'Size') ?? 0),
      etag: unquote(textOf(object, 'ETag')),
      // A store that keeps no times may say the year 1.
      lastModified: time > 0 ? time : undefined,
    }
  })
  return {
    // A store that ignores the prefix mustn't have others' objects taken for ours.
    objects: listed.filter(({ key }) => key.startsWith(prefix)),
    first: listed[0]?.key,
    last: listed.at(-1)?.key,
    inOrder: areInOrder(listed),
    next: isTruncated === 'true' ? token : undefined,
  }
}

/** Whether the keys are in S3's order, and each is there once. */
export function areInOrder(objects: Iterable<ListedObject>): boolean {
  let before: string | undefined
  for (const { key } of objects) {
    if (before !== undefined && compareKeys(before, key) >= 0) return false
    before = key
  }
  return true
}

/** An ETag without its quotes, or '' for none. */
export function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '')
}

/**
 * A key as S3 lists it. With `EncodingType: url` it is encoded as in a form: AWS writes a space as `+`, Ceph as `%20`,
 * and both a plus sign as `%2B`. A store that doesn't echo the encoding didn't use it.
 */
function decodeKey(key: string, encoding: string | undefined): string {
  if (encoding !== 'url') return key
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw noListing(`a key that can't be decoded: ${key}`)
  }
}

export function noListing(message: string): Error {
  return Object.assign(new Error(message), { name: 'NoS3Answer' })
}

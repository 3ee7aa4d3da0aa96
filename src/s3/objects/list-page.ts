import type { ListedObject } from '../../bucket/bucket.js'
import { notS3 } from '../errors/s3-error.js'
import { elements, plainXml, rootOf, textOf } from '../http/xml.js'

/** Parameters of a ListObjectsV2 request. */
export interface PageStart {
  'start-after'?: string
  'continuation-token'?: string
  'max-keys'?: string
}

/** One response to ListObjectsV2: up to 1,000 keys. */
export interface Page {
  /** Includes objects of other prefixes if the store ignores the prefix. */
  objects: readonly ListedObject[]
  /** The token for the next page; undefined at the end. */
  next: string | undefined
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export function pageQuery(prefix: string, start: PageStart): Record<string, string> {
  return {
    'list-type': '2',
    ...(prefix === '' ? {} : { prefix }),
    ...start,
    // XML 1.0 has no control characters and changes line ends.
    'encoding-type': 'url',
  }
}

/** @throws Error named `NoS3Response` */
export function readPage(document: string): Page {
  const xml = plainXml(document)
  const isTruncated = textOf(xml, 'IsTruncated')
  // A web page must not look like an empty bucket.
  if (rootOf(xml) !== 'ListBucketResult' || isTruncated === undefined) throw notS3('it is no listing')
  const token = textOf(xml, 'NextContinuationToken')
  if (isTruncated === 'true' && !token) throw notS3('a page without the token for the next one')
  const encoding = textOf(xml, 'EncodingType')
  const contents = [...elements(xml, 'Contents')]
  const times = timesOf(contents.map((object) => textOf(object, 'LastModified') ?? ''))
  const objects = contents.map((object, index): ListedObject => {
    return {
      key: decodeKey(textOf(object, 'Key') ?? '', encoding),
      size: Number(textOf(object, 'Size') ?? 0),
      etag: unquote(textOf(object, 'ETag')),
      lastModified: times[index],
    }
  })
  return { objects, next: isTruncated === 'true' ? token : undefined }
}

/** Milliseconds between two ticks of Linux's coarse clock, at most. */
const TICK = 10

/**
 * The times of a page's objects. Ceph has milliseconds here, and dates its responses by a clock that is up to a tick behind: the response to a write at
 * the beginning of a second may name the second before. Such a write counts as one of that second.
 */
export function timesOf(texts: readonly string[]): (number | undefined)[] {
  const times = texts.map((text) => Date.parse(text))
  const hasMilliseconds = times.some((time) => time % 1000 > 0)
  return times.map((time) => {
    const sinceSecond = time % 1000
    // A store without times may send the year 1.
    if (!(time > 0)) return undefined
    return hasMilliseconds && sinceSecond <= TICK ? time - sinceSecond - 1 : time
  })
}

export function unquote(etag: string | undefined): string {
  return (etag ?? '').replace(/^"|"$/g, '')
}

/** `EncodingType: url` means form encoding: AWS writes a space as `+`, Ceph as `%20`. A store that does not echo the type did not encode. */
function decodeKey(key: string, encoding: string | undefined): string {
  if (encoding !== 'url') return key
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw notS3(`a key that can't be decoded: ${key}`)
  }
}

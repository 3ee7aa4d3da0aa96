import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import type { ListedObject } from '../core/bucket.js'
import { compareKeys } from '../core/key-order.js'

/** Where a page begins: at the beginning, behind a key, or where another page ended. */
export type PageStart = Pick<ListObjectsV2CommandInput, 'StartAfter' | 'ContinuationToken' | 'MaxKeys'>

/** One answer to ListObjectsV2: up to 1,000 keys. */
export interface Page {
  /** Those below the prefix. */
  objects: ListedObject[]
  /** The first and the last key as the store lists them; undefined where there is none. */
  first: string | undefined
  last: string | undefined
  /** Whether its keys are in S3's order. */
  inOrder: boolean
  /** The token for the next page; undefined at the end of the listing. */
  next: string | undefined
}

export function pageInput(bucket: string, prefix: string, start: PageStart): ListObjectsV2CommandInput {
  return {
    Bucket: bucket,
    ...(prefix === '' ? {} : { Prefix: prefix }),
    ...start,
    // XML 1.0 has no control characters, and parsers change line ends: such keys arrive only in this form.
    EncodingType: 'url',
  }
}

/** @throws Error named `NoS3Answer` where the answer is no page of a listing */
export function readPage(answer: ListObjectsV2CommandOutput, prefix: string): Page {
  const { Contents = [], EncodingType, IsTruncated, NextContinuationToken } = answer
  // The SDK makes an empty listing of any XML, so a web page would pass for an empty bucket, and all of it be uploaded
  // anew.
  if (IsTruncated === undefined) throw noListing('no listing')
  if (IsTruncated && NextContinuationToken === undefined) throw noListing('a page without the token for the next one')
  const listed = Contents.map(({ Key, Size, ETag, LastModified }) => ({
    key: decodeKey(Key ?? '', EncodingType),
    size: Size ?? 0,
    etag: unquote(ETag),
    lastModified: LastModified?.getTime(),
  }))
  return {
    // A store that ignores the prefix mustn't have others' objects taken for ours.
    objects: listed.filter(({ key }) => key.startsWith(prefix)),
    first: listed[0]?.key,
    last: listed.at(-1)?.key,
    inOrder: areInOrder(listed),
    next: IsTruncated ? NextContinuationToken : undefined,
  }
}

/** Whether the keys are in S3's order, and each is there once. */
export function areInOrder(objects: readonly ListedObject[]): boolean {
  return objects.every(({ key }, index) => {
    const before = objects[index - 1]
    return before === undefined || compareKeys(before.key, key) < 0
  })
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

export function noListing(message: string): Error {
  return Object.assign(new Error(message), { name: 'NoS3Answer' })
}

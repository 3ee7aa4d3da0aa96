import type { Store } from './store.js'
import { escapeXml, isoDate, xml } from './xml.js'

/** The answer to ListObjectsV2, or to its predecessor ListObjects. */
export function listing(store: Store, query: URLSearchParams, isV2: boolean): string {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const limit = Math.min(1000, Number(query.get('max-keys') ?? 1000))
  const after = (isV2 ? (query.get('continuation-token') ?? query.get('start-after')) : query.get('marker')) ?? ''
  const asUrl = query.get('encoding-type') === 'url'
  const write = asUrl ? (text: string) => encodeURIComponent(text).replaceAll('%2F', '/') : escapeXml
  const { objects, commonPrefixes, next } = store.list({ prefix, delimiter, after, limit })
  let text = `<Name>bench</Name><Prefix>${write(prefix)}</Prefix><MaxKeys>${limit}</MaxKeys><IsTruncated>${next !== undefined}</IsTruncated>`
  if (delimiter !== '') text += `<Delimiter>${write(delimiter)}</Delimiter>`
  if (asUrl) text += '<EncodingType>url</EncodingType>'
  if (isV2) {
    text += `<KeyCount>${objects.length + commonPrefixes.length}</KeyCount>`
    if (next !== undefined) text += `<NextContinuationToken>${escapeXml(next)}</NextContinuationToken>`
  } else {
    text += `<Marker>${write(after)}</Marker>`
    if (next !== undefined) text += `<NextMarker>${write(next)}</NextMarker>`
  }
  for (const { key, modified, etag, size } of objects) {
    text += `<Contents><Key>${write(key)}</Key><LastModified>${isoDate(modified)}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`
  }
  for (const common of commonPrefixes) text += `<CommonPrefixes><Prefix>${write(common)}</Prefix></CommonPrefixes>`
  return xml('ListBucketResult', text)
}

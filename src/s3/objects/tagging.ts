import { hash } from 'node:crypto'
import { notS3 } from '../errors/s3-error.js'
import type { Transport } from '../http/transport.js'
import { elements, escapeXml, plainXml, rootOf, textOf } from '../http/xml.js'
import type { RequestOptions } from './put-object.js'

/**
 * Adds tags to an object's own. S3 replaces all tags at once. A tag that the object has keeps its value.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
 */
export async function addTags(
  transport: Transport,
  key: string,
  tags: Readonly<Record<string, string>>,
  { signal, check }: RequestOptions,
): Promise<void> {
  const call = { key, query: { tagging: '' } }
  const there = tagsIn((await transport.send({ ...call, method: 'GET' }, signal)).body.toString())
  if (Object.keys(tags).every((name) => name in there)) return
  const body = Buffer.from(documentOf({ ...tags, ...there }))
  const headers = { 'content-type': 'application/xml', 'content-md5': hash('md5', body, 'base64') }
  await transport.send({ ...call, method: 'PUT', headers, body, check }, signal)
}

/** @throws Error named `NoS3Response`, because tags that were not read would be lost */
function tagsIn(document: string): Record<string, string> {
  const xml = plainXml(document)
  if (rootOf(xml) !== 'Tagging') throw notS3('it has no tags')
  return Object.fromEntries(
    [...elements(xml, 'Tag')].map((tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? '']),
  )
}

function documentOf(tags: Readonly<Record<string, string>>): string {
  const list = Object.entries(tags).map(
    ([name, value]) => `<Tag><Key>${escapeXml(name)}</Key><Value>${escapeXml(value)}</Value></Tag>`,
  )
  return `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet>${list.join('')}</TagSet></Tagging>`
}

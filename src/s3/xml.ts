/*
 * Reads what S3 answers: flat documents of elements without attributes. Not with a parser: the SDK's own takes 10 to 40 ms for one page
 * of a listing, this 1.5.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
 */

/** An XML document in which each `<` begins a tag and nothing has to be looked into but tags and text. */
export function plainXml(document: string): string {
  if (!document.includes('<!')) return document
  return document
    .replace(/<!--.*?-->/gs, '')
    .replace(/<!\[CDATA\[(.*?)\]\]>/gs, (_, text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;'))
}

/** The name of the outermost element, or undefined for what is no XML. */
export function rootOf(xml: string): string | undefined {
  return /^\s*(?:<\?.*?\?>\s*)*<([\w.-]+)[\s>/]/s.exec(xml)?.[1]
}

/** What is inside each element of that name. */
export function* elements(xml: string, name: string): Generator<string> {
  const [open, close] = [`<${name}>`, `</${name}>`]
  for (let start = xml.indexOf(open); start >= 0; ) {
    const end = xml.indexOf(close, start)
    if (end < 0) return
    yield xml.slice(start + open.length, end)
    start = xml.indexOf(open, end)
  }
}

/** The text of the first element of that name, or undefined where there is none. */
export function textOf(xml: string, name: string): string | undefined {
  for (const text of elements(xml, name)) return decode(text)
  return undefined
}

/** The texts of all elements that hold nothing but text, by their names. */
export function textsOf(xml: string): Record<string, string> {
  const found = [...xml.matchAll(/<([\w.-]+)>([^<]*)<\/\1>/g)]
  return Object.fromEntries(found.map(([, name, text = '']) => [name, decode(text)]))
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** @see https://www.w3.org/TR/xml/#sec-references */
function decode(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (entity, hex?: string, decimal?: string, name = '') => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    if (code <= 0x10ffff) return String.fromCodePoint(code)
    return ENTITIES[name] ?? entity
  })
}

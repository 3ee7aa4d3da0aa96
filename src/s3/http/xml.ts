// S3's documents are flat, without attributes. The SDK's parser takes 10 to 40 ms for one page of a listing, these functions take 1.5.

/** Beginnings and ends of everything but tags and text. */
const ENDS: Record<string, string> = { '<!--': '-->', '<![CDATA[': ']]>', '<?': '?>' }

/**
 * Removes comments and processing instructions, and turns CDATA into text, so that each `<` begins a tag. One regular expression for it all would
 * take quadratic time.
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

/** The name of the outermost element; undefined if the document is no XML. */
export function rootOf(xml: string): string | undefined {
  return /^\s*<([\w.-]+)[\s>/]/.exec(xml)?.[1]
}

/** The content of each element of that name. */
export function* elements(xml: string, name: string): Generator<string> {
  for (let found = nextElement(xml, name, 0); found; found = nextElement(xml, name, found.end)) yield found.content
}

function nextElement(xml: string, name: string, from: number): { content: string; end: number } | undefined {
  const open = `<${name}`
  for (let start = xml.indexOf(open, from); start >= 0; start = xml.indexOf(open, start + 1)) {
    const after = start + open.length
    // Another name may begin alike.
    const inner = xml[after] === '>' ? after + 1 : /\s/.test(xml[after] ?? '') ? xml.indexOf('>', after) + 1 : 0
    if (inner === 0) continue
    if (xml[inner - 2] === '/') return { content: '', end: inner }
    const end = xml.indexOf(`</${name}>`, inner)
    return end < 0 ? undefined : { content: xml.slice(inner, end), end }
  }
  return undefined
}

/** The text of the first element of that name. */
export function textOf(xml: string, name: string): string | undefined {
  const found = nextElement(xml, name, 0)
  return found && decode(found.content)
}

/** Name and text of each element that contains only text. */
export function textsOf(xml: string): Record<string, string> {
  const found = [...xml.matchAll(/<([\w.-]+)>([^<]*)<\/\1>/g)]
  return Object.fromEntries(found.map(([, name, text = '']) => [name, decode(text)]))
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** By name: R2's emulator cannot read `&#34;` in an ETag. */
export function escapeXml(text: string): string {
  const nameOf = (each: string) => Object.keys(ENTITIES).find((name) => ENTITIES[name] === each)
  return text.replace(/[<>&"']/g, (each) => `&${nameOf(each)};`)
}

/** @see https://www.w3.org/TR/xml/#sec-references */
function decode(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (entity, hex?: string, decimal?: string, name = '') => {
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    if (code <= 0x10ffff) return String.fromCodePoint(code)
    return Object.hasOwn(ENTITIES, name) ? (ENTITIES[name] as string) : entity
  })
}

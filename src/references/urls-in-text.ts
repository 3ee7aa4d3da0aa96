import { orUndefined } from '../runtime/or-undefined.js'
import { stringsInJson } from './json.js'
import type { PublicPlace } from './public-place.js'

/** A text: all of an attribute or of a string in JSON; a string of a script; or a part of a string, to which code adds the rest. */
export type TextKind = 'value' | 'literal' | 'part'

/** Finds URLs under the public URL in a text. */
export type FindUrls = (text: string, kind: TextKind) => string[]

/** Characters. Limits the time for a text without spaces. */
const longest = 2000

/** Stands between the URLs of a list, such as `data-images="https://…/a.jpg,https://…/b.jpg"`. */
const between = /(?:[,;]|%20){1,9}(?=(?:https?:)?\\*\/\\*\/)/i

/** One word, CSS's `url('…')`, or a srcset. */
const oneValue = /^\s*[^\s"'<>]+\s*$|^\s*url\(\s*(["'])[^\s"'<>]+\1\s*\)\s*$|^\s*(?:\S+\s+[\d.]+[wx]\s*(?:,\s*|$))+$/
const markup = /<[a-z/!][^<>]*>|^\s*<[a-z]/i
/** The rest of a tag whose beginning is another string: up to the tag's end, or up to an attribute's value in a third string. */
const restOfTag = /^["']?\s[^<>]*(?:>|=["']$)/
const comment = /<!--[\s\S]*?(?:-->|$)/g

/**
 * A URL counts only if a browser certainly requests it: it is the whole text, or it stands in a tag, in CSS or in JSON within the text, with
 * delimiters on both sides. Prose, code samples, prefixes and templates do not name files.
 */
export function urlFinder({ host, start }: PublicPlace): FindUrls {
  const only = new RegExp(`^\\s*(${start}\\S*)\\s*$`, 'i')
  const quoted = `\\s*(?<quote>\\\\*["'])(?<quoted>${start}[^\\s<>]{0,${longest}}?)\\k<quote>`
  const unquoted = [
    // CSS within the text.
    `url\\(\\s*(?<css>${start}(?:\\\\.|[^\\s"'()\\\\<>]){0,${longest}})\\s*\\)`,
    // A candidate of a srcset.
    `(?<candidate>${start}[^\\s"'<>]{0,${longest}})\\s+[\\d.]+[wx](?=\\s*[,"'\\\\]|\\s*$)`,
    // A parameter of another URL, encoded.
    `=(?=https?%3A)(?<parameter>${start}[^\\s"'<>&#]{0,${longest}})`,
  ]
  const inValue = new RegExp([`url\\(${quoted}`, ...unquoted].join('|'), 'gi')
  // {\"src\":\"…\"}, ["…"], url('…')
  const inLiteral = new RegExp([`(?:[:,[]|url\\()${quoted}`, ...unquoted].join('|'), 'gi')
  const inAttribute = new RegExp(`=${quoted}`, 'gi')
  const inTag = new RegExp([`[=:,[{(]${quoted}`, ...unquoted].join('|'), 'gi')
  const find: FindUrls = (text, kind) => {
    if (!text.includes(host)) return []
    const whole = kind === 'part' ? undefined : only.exec(text)?.[1]
    if (whole !== undefined) return whole.split(between)
    const strings = stringsInJson(text)
    if (strings) return strings.flatMap((each) => find(each, 'value'))
    if (kind === 'value') return oneValue.test(text) ? delimited(text, inValue) : []
    if (markup.test(text)) return tagsAndStyles(text, kind).flatMap((each) => delimited(each, inTag))
    return [...delimited(text, inLiteral), ...delimited(restOfTag.exec(text)?.[0] ?? '', inAttribute)]
  }
  return find
}

/** Without attributes that contain `<` or `>`. */
function tagsAndStyles(html: string, kind: TextKind): string[] {
  // A part may begin within a tag.
  const pattern = kind === 'part' ? /(?:^|<[a-z])[^<>]*(?:>|$)/gi : /<[a-z][^<>]*(?:>|$)/gi
  const text = html.replace(comment, '')
  const styles = [...text.matchAll(/<style\b[^<>]*>([^<]*)/gi)].map(([, css = '']) => css)
  return [...(text.match(pattern) ?? []), ...styles]
}

function delimited(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].flatMap(({ groups: { quoted, css, candidate, parameter } = {} }) => {
    if (parameter !== undefined) return (orUndefined(() => decodeURIComponent(parameter)) ?? parameter).split(between)
    return ((quoted ?? css ?? candidate) as string).replace(/\\+(.)/g, '$1').split(between)
  })
}

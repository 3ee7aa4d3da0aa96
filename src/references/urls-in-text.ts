import { orUndefined } from '../runtime/or-undefined.js'
import type { PublicPlace } from './public-place.js'

/**
 * Finds URLs under the public URL in a text: a string of a script, a value of JSON, an attribute.
 *
 * @param isComplete false if code may add to the text
 */
export type FindUrls = (text: string, isComplete: boolean) => string[]

/** Characters. Limits the time for a text without spaces. */
const longest = 2000

/** Stands between the URLs of a list, such as `data-images="https://…/a.jpg,https://…/b.jpg"`. */
const between = /(?:[,;]|%20){1,9}(?=(?:https?:)?\\*\/\\*\/)/i

/**
 * A URL counts only if its end is certain: it is the whole text, or delimiters stand on both sides. Prose, prefixes and templates do not name
 * files.
 */
export function urlFinder({ host, start }: PublicPlace): FindUrls {
  const only = new RegExp(`^\\s*(${start}\\S*)\\s*$`, 'i')
  const delimited = new RegExp(
    [
      // HTML or JSON within the text: src="…", ["…"], {\"src\":\"…\"}
      `[=:,[{(]\\s*(?<quote>\\\\*["'])(?<quoted>${start}[^\\s<>]{0,${longest}}?)\\k<quote>`,
      // CSS within the text.
      `url\\(\\s*(?<css>${start}(?:\\\\.|[^\\s"'()\\\\<>]){0,${longest}})\\s*\\)`,
      // A candidate of a srcset.
      `(?<candidate>${start}[^\\s"'<>]{0,${longest}})\\s+[\\d.]+[wx](?=\\s*[,"'\\\\]|\\s*$)`,
      // A parameter of another URL, encoded.
      `=(?=https?%3A)(?<parameter>${start}[^\\s"'<>&#]{0,${longest}})`,
    ].join('|'),
    'gi',
  )
  return (text, isComplete) => {
    if (!text.includes(host)) return []
    const whole = isComplete ? only.exec(text)?.[1] : undefined
    if (whole !== undefined) return whole.split(between)
    return [...text.matchAll(delimited)].flatMap(({ groups: { quoted, css, candidate, parameter } = {} }) => {
      if (parameter !== undefined) return (orUndefined(() => decodeURIComponent(parameter)) ?? parameter).split(between)
      return ((quoted ?? css ?? candidate) as string).replace(/\\+(.)/g, '$1').split(between)
    })
  }
}

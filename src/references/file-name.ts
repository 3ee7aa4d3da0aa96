import { lookup } from 'mime-types'

/** Parts that code, a server or a tool fills in: `{lang}`, `${x}`, `%s`, `*`, `[hash]`, `<name>`, `:id`, `…`; and bytes that are no UTF-8. */
const template = /[{}*$<>[\]|^\\…\ufffd]|%(?![\da-f]{2})|\/:|\.\.\./i

/** True if a URL names one file for certain. A URL without an ending may be the beginning of a name, or a page's. */
export function namesFile(url: string): boolean {
  const [name = ''] = url.split(/[?#]/)
  return !template.test(name) && lookup(name) !== false && hasEnding(name)
}

/** `lookup` takes a whole name for an ending. */
function hasEnding(name: string): boolean {
  return /[^/.][^/]*\.[^./]+$/.test(name)
}

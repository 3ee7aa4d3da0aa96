import { orUndefined } from '../runtime/or-undefined.js'

/** The string values in a JSON text, but not its keys. Undefined for another text. */
export function stringsInJson(text: string): string[] | undefined {
  if (!/^\ufeff?\s*[[{]/.test(text)) return undefined
  return orUndefined(() => stringsIn(JSON.parse(text.replace(/^\ufeff/, ''))))
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap((each) => stringsIn(each)) : []
}

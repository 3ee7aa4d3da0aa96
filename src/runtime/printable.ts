/** Control characters, and characters that reorder or break a line. Newlines stay: our own messages have several lines. */
const CONTROLS = /(?!\n)[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/**
 * Text that moves no cursor, colours nothing and hides nothing in a terminal: control characters become JSON's escapes, so that JSON stays the
 * same JSON.
 */
export function printable(text: string): string {
  return text.replace(CONTROLS, escaped)
}

/** Like `printable`, for foreign text that must not begin a new line. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n')
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** `2026-11-29 14:19 UTC` */
export function printableTime(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** The first name, and how many follow. */
export function several([first = '', ...more]: readonly string[]): string {
  return more.length === 0 ? first : `${first} and ${more.length} more`
}

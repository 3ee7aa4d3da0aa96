import jsTokens from 'js-tokens'
import type { FindUrls } from './urls-in-text.js'

/** A string before one of these tokens is complete. Before any other, such as `+`, `.`, `[` or a template, code changes the string. */
const after = /^([,;:)\]}?]|[=!]==?|&&|\|\||\?\?)$/
const silent = /^(WhiteSpace|LineTerminatorSequence|SingleLineComment|MultiLineComment)$/

/** The URLs in the strings of a script, or of JSON. Comments and regular expressions don't count. */
export function urlsInScript(script: string, find: FindUrls): string[] {
  const urls: string[] = []
  let waiting: string | undefined
  const settle = (isComplete: boolean) => {
    if (waiting !== undefined) urls.push(...find(waiting, isComplete))
    waiting = undefined
  }
  for (const token of jsTokens(script)) {
    if (silent.test(token.type)) continue
    settle(!/Punctuator|Template/.test(token.type) || after.test(token.value))
    if (/^(StringLiteral|NoSubstitutionTemplate)$/.test(token.type)) waiting = unescaped(token.value.slice(1, -1))
    else if (token.type.startsWith('Template')) urls.push(...find(unescaped(token.value), false))
  }
  settle(true)
  return urls
}

function unescaped(literal: string): string {
  if (!literal.includes('\\')) return literal
  return literal.replace(
    /\\(?:u\{([\da-f]{1,6})\}|u([\da-f]{4})|x([\da-f]{2})|(\r?\n)|([\s\S]))/gi,
    (_, braced, four, two, newline, other) => {
      const code = braced ?? four ?? two
      if (code !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(code, 16), 0x10ffff))
      return newline === undefined ? (controls[other] ?? other) : ''
    },
  )
}

const controls: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v', 0: '\0' }

import jsTokens from 'js-tokens'
import { stringsInJson } from './json.js'
import { shownTexts } from './shown-text.js'
import type { FindUrls } from './urls-in-text.js'

/** A string before one of these tokens is complete. Before any other, such as `+`, `.`, `[` or a template, code changes the string. */
const after = /^([,;:)\]}?]|[=!]==?|&&|\|\||\?\?)$/
const silent = /^(WhiteSpace|LineTerminatorSequence|SingleLineComment|MultiLineComment)$/

/** The URLs in the strings of a script. Comments, regular expressions and texts that a page shows don't count. */
export function urlsInScript(script: string, find: FindUrls): string[] {
  const urls: string[] = []
  let waiting: string | undefined
  const settle = (isComplete: boolean) => {
    if (waiting !== undefined) urls.push(...find(waiting, isComplete ? 'literal' : 'part'))
    waiting = undefined
  }
  const isShown = shownTexts()
  for (const { type, value } of jsTokens(script)) {
    if (silent.test(type)) continue
    settle(!/Punctuator|Template/.test(type) || after.test(value))
    if (isShown(type, value)) continue
    if (/^(StringLiteral|NoSubstitutionTemplate)$/.test(type)) waiting = unescaped(value.slice(1, -1))
    else if (type.startsWith('Template')) urls.push(...find(unescaped(value.replace(/^[`}]|`$|\$\{$/g, '')), 'part'))
  }
  settle(true)
  return urls
}

/** The URLs in a JSON file. Text with a syntax of its own, such as HTML, may be a sample, and does not count. */
export function urlsInJson(json: string, find: FindUrls): string[] {
  return stringsInJson(json)?.flatMap((text) => find(text, 'value')) ?? urlsInScript(json, find)
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

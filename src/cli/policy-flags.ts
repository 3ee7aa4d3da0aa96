import { printable } from '../runtime/printable.js'
import type { Settings } from '../settings/settings.js'
import { print } from './print.js'
import { Usage } from './usage.js'

export const text = { type: 'string' } as const
export const many = { type: 'string', multiple: true } as const
export const switched = { type: 'boolean' } as const

/** Prints the document alone on the standard output, so that it can be piped. */
export function printDocument(document: object | string, hints: readonly string[]): void {
  const printed = typeof document === 'string' ? document : JSON.stringify(document, undefined, 2)
  process.stdout.write(`${printable(printed).trimEnd()}\n`)
  print(process.stderr, hints.map((hint) => `${printable(hint)}\n`).join(''))
}

/** @throws Usage for a store that may not know the policy's conditions */
export function onlyOnAws(name: string, { endpoint }: Settings): void {
  if (endpoint !== undefined) throw new Usage(`${name} is for AWS, and the endpoint is ${endpoint}`)
}

/** @throws Usage if one of them is no origin */
export function originsOf(origins: readonly string[]): string[] {
  const wrong = origins.find((origin) => origin !== '*' && !/^https?:\/\/[^/?#\s]+$/.test(origin))
  if (wrong === undefined) return [...origins]
  throw new Usage(`--origin is ${wrong}: give scheme and host without a path, such as https://example.com`)
}

/** Patterns as IAM reads them: `*` also matches slashes. */
export function globsOf(globs: readonly string[]): string[] {
  for (const glob of globs) {
    if (!/^[^/{}[\]!$\s][^{}[\]!$\s]*$/.test(glob))
      throw new Usage(`--immutable is ${glob}: use * and ? only, such as assets/*`)
  }
  return globs.map((glob) => glob.replace(/\*{2,}\/?\*?/g, '*'))
}

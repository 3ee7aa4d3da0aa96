import type { Change } from './changes.js'

/** A line of the difference. `+` and `-` begin lines as in a patch. */
export function differenceOf(changes: readonly Change[]): string[] {
  return changes.flatMap(({ part, removed, added, kept }) => [
    '',
    kept === 0 ? part : `${part} (${kept} ${kept === 1 ? 'other stays' : 'others stay'})`,
    ...removed.flatMap((each) => linesOf(each, '-')),
    ...added.flatMap((each) => linesOf(each, '+')),
  ])
}

function linesOf(value: unknown, sign: '+' | '-'): string[] {
  const text = typeof value === 'string' ? value : JSON.stringify(value, undefined, 2)
  // Lists of strings take one line.
  const compact = text.replace(
    /\[\s+("[^"]*"(?:,\s+"[^"]*")*)\s+\]/g,
    (_, list: string) => `[${list.replace(/\s*\n\s*/g, ' ')}]`,
  )
  return compact.split('\n').map((line) => `${sign} ${line}`)
}

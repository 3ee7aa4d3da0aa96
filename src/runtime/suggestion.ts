import { distance } from 'fastest-levenshtein'

/** The end of a sentence about an unknown name: the nearest known name, or all known names if none is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? `: use one of ${known.join(', ')}.` : `: did you mean \`${near}\`?`
}

/** The known name that a misspelt one may stand for. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const near = known
    .map((candidate) => ({ candidate, away: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.away - b.away)[0]
  return near && near.away <= Math.max(2, near.candidate.length / 3) ? near.candidate : undefined
}

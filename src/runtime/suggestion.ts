import { distance } from 'fastest-levenshtein'

/** The end of a sentence about an unknown name: the nearest known name, or all known names if none is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = known
    .map((candidate) => ({ candidate, away: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.away - b.away)[0]
  if (near && near.away <= Math.max(2, near.candidate.length / 3)) return `: did you mean \`${near.candidate}\`?`
  return `: use one of ${known.join(', ')}.`
}

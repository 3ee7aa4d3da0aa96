import { distance } from 'fastest-levenshtein'

/** The end of a sentence about an unknown name: the nearest known name, or all known names if none is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? `: use one of ${known.join(', ')}.` : `: did you mean \`${near}\`?`
}

/**
 * The known name that a misspelt one may stand for.
 *
 * @returns undefined if more than a third of each known name differs
 */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const misspelt = name.toLowerCase()
  const [near] = known
    .map((candidate) => ({ candidate, away: distance(misspelt, candidate.toLowerCase()) }))
    .sort((a, b) => a.away - b.away)
  return near && near.away <= Math.max(2, near.candidate.length / 3) ? near.candidate : undefined
}

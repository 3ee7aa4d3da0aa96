import { previewName } from './preview-name.js'

/** The facts of a preview that decide how long it stays. */
export interface PreviewFacts {
  location: string
  branch: string | undefined
  /** The time of its newest record, by the store's clock: milliseconds since 1970. */
  at: number
  isHeld: boolean
  isLocked: boolean
}

export interface KeptPreviews {
  days: number
  /** Branches, or names of previews. */
  branches: readonly string[]
}

export type WhyKept = 'recent' | 'held' | 'being deployed' | 'branch'

const day = 24 * 60 * 60 * 1000

/**
 * Decides why a preview stays; undefined if it has expired.
 *
 * | deployed within the days | a hold | a lock | newest one of a kept branch, or of no known branch | reason         |
 * |--------------------------|--------|--------|----------------------------------------------------|----------------|
 * | yes                      | –      | –      | –                                                  | recent         |
 * | no                       | yes    | –      | –                                                  | held           |
 * | no                       | no     | yes    | –                                                  | being deployed |
 * | no                       | no     | no     | yes                                                | branch         |
 * | no                       | no     | no     | no                                                 | –              |
 *
 * With `[commit]` in its template, a branch has many previews.
 *
 * @param now the store's time: milliseconds since 1970
 */
export function whyKept<T extends PreviewFacts>(
  previews: readonly T[],
  { days, branches }: KeptPreviews,
  now: number,
): Map<T, WhyKept | undefined> {
  const newest = new Map<string | undefined, T>()
  for (const preview of previews) {
    if (preview.at > (newest.get(preview.branch)?.at ?? Number.NEGATIVE_INFINITY)) newest.set(preview.branch, preview)
  }
  const isNamed = (branch: string) => branches.includes(branch) || branches.includes(previewName(branch))
  const reason = (preview: T): WhyKept | undefined => {
    const { branch, at, isHeld, isLocked } = preview
    if (at > now - days * day) return 'recent'
    if (isHeld) return 'held'
    if (isLocked) return 'being deployed'
    return (branch === undefined || isNamed(branch)) && newest.get(branch) === preview ? 'branch' : undefined
  }
  return new Map(previews.map((preview) => [preview, reason(preview)]))
}

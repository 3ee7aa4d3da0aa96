import type { ReleaseKind } from '../release/records/record.js'

/** How long a release stays after a newer one took its place. */
export interface Retention {
  /** At least 1: the live one. */
  releases: number
  days: number
}

/** The facts of a record that decide how long its release is kept. */
export interface Candidate {
  release: number
  kind: ReleaseKind
  /** The release that was live after it. */
  live: number
  activated: number | undefined
  isHeld: boolean
  project: string | undefined
  /** The same for releases that went live together. */
  run?: string | undefined
  /** The time of its record, by the store's clock: milliseconds since 1970. Undefined if the store does not tell. */
  at: number | undefined
}

export interface KeptReleases {
  kept: ReadonlySet<number>
  /** The newest release of each project that went live. */
  live: ReadonlySet<number>
}

const day = 24 * 60 * 60 * 1000

/**
 * Decides which releases are kept.
 *
 * | record                                           | newer live releases | time by the store's clock | kept |
 * |--------------------------------------------------|---------------------|---------------------------|------|
 * | the newest, and the live one that it names       | –                   | –                         | yes  |
 * | of files that are still in the location          | –                   | –                         | yes  |
 * | activated by a kept one                          | –                   | –                         | yes  |
 * | went live, and the live one's rollback holds     | one                 | –                         | yes  |
 * | any                                              | fewer than releases | –                         | yes  |
 * | went live                                        | as many, or more    | replaced within the days  | yes  |
 * | staged, or without files                         | as many, or more    | written within the days   | yes  |
 * | any                                              | as many, or more    | longer ago                | no   |
 *
 * Only releases of the same project count as newer. Open tabs need a release from its replacement on, not from its beginning. So a staged release
 * that no live one followed is always kept.
 *
 * @param candidates all records of the location, the newest first
 * @param now the store's time: milliseconds since 1970
 * @param standing releases to keep because the location still has files of theirs
 */
export function keptReleases(
  candidates: readonly Candidate[],
  { releases, days }: Retention,
  now: number,
  standing: ReadonlySet<number> = new Set(),
): KeptReleases {
  const newest = candidates[0]
  const kept = new Set(newest && [newest.release, newest.live])
  const live = new Set<number>()
  const projects = new Map<string | undefined, { newer: number; replacedAt: number; run?: string | undefined }>()
  for (const { release, kind, activated, project, run, at = now } of candidates) {
    const {
      newer,
      replacedAt,
      run: lastRun,
    } = projects.get(project) ?? { newer: 0, replacedAt: Number.POSITIVE_INFINITY }
    const wasRolledBack = newest?.isHeld === true && project === newest.project && kind === 'live' && newer === 1
    // Without days, a clock that counts whole seconds decides nothing.
    const isRecent = days > 0 && (kind === 'live' ? replacedAt : at) > now - days * day
    const isSameRun = run !== undefined && run === lastRun
    if (kind === 'live') projects.set(project, { newer: isSameRun ? newer : newer + 1, replacedAt: at, run })
    if (kind === 'live' && newer === 0) live.add(release)
    const isNamed = kept.has(release) || standing.has(release)
    if (!isNamed && !wasRolledBack && !isRecent && newer >= releases) continue
    // A record names only earlier ones. Of a staged one, not the release that was live then: if each release is staged first, all would be kept.
    for (const each of [release, activated ?? release]) kept.add(each)
  }
  return { kept, live }
}

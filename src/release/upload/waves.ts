import { smallBytes } from '../../bucket/bucket.js'
import { type Group, groups } from '../../files/built-file.js'
import type { Backup, Decision, Plan } from '../plan.js'
import type { Done } from './what-visitors-see.js'

/**
 * Creations are the new fingerprinted files, and the backups: no page refers to them yet, and their writes replace nothing
 * (`If-None-Match: *`).
 */
export type Part = 'creations' | 'all but creations' | 'all'

/** Files that go up together; large files with the largest first. */
export interface Wave {
  small: (Decision | Backup)[]
  large: (Decision | Backup)[]
}

/** The waves of each group in a part of a plan, and the total of this part and the parts after it, without backups. */
export function wavesOf({ decisions, backups }: Plan, part: Part): { waves: Record<Group, Wave[]>; total: Done } {
  const wave = (): Wave => ({ small: [], large: [] })
  // Nobody refers to a new object yet. A changed one may refer to it.
  const waves = Object.fromEntries(groups.map((group) => [group, [wave(), wave()]])) as Record<Group, [Wave, Wave]>
  const total: Done = { files: 0, bytes: 0 }
  const add = (each: Decision | Backup, { small, large }: Wave) =>
    (each.file.size <= smallBytes ? small : large).push(each)
  for (const decision of decisions) {
    const { file, action, reason } = decision
    // A copy has no `If-None-Match`: not every store supports it on a copy.
    const isCreation = file.group === 'fingerprinted' && reason === 'new' && !file.source
    if (action === 'skip' || (isCreation && part === 'all but creations')) continue
    total.files++
    total.bytes += file.size
    if (!isCreation && part === 'creations') continue
    add(decision, waves[groupFor(decision)][reason === 'new' ? 0 : 1])
  }
  if (part !== 'all but creations') for (const backup of backups) add(backup, waves.fingerprinted[0])
  for (const { large } of Object.values(waves).flat()) large.sort((a, b) => b.file.size - a.file.size)
  return { waves, total }
}

/** A new service worker comes before the page that registers it. */
function groupFor({ file: { group }, reason }: Decision): Group {
  return group === 'service worker' && reason === 'new' ? 'manifest' : group
}

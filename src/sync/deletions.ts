import type { ListedObject } from '../bucket/bucket.js'
import { describedBy } from '../release/plan.js'
import type { Survey } from '../release/survey.js'
import { StaticS3Error } from '../runtime/error.js'
import { locationName, prefixOf } from '../urls/paths.js'

export interface DeletionInput extends Pick<Survey, 'listing' | 'record'> {
  location: string
  /** The paths of all files in the folder, left-out ones included. */
  here: ReadonlySet<string>
  /** Other locations inside this one, whose objects are theirs. */
  inside: readonly string[]
  /** True if `include`, `exclude` and the defaults would upload a file of this path. */
  isSelected: (path: string) => boolean
}

export interface Deletions {
  objects: ListedObject[]
  /** The number of other objects without a file: another tool uploaded or changed them, or no record describes them. */
  others: number
}

/**
 * Decides about each object of the location, without those of locations inside it, that has no file in the folder.
 *
 * | selected | recorded as it is now | uploaded by static-s3 | decision        |
 * |----------|-----------------------|-----------------------|-----------------|
 * | no       | –                     | –                     | stays           |
 * | yes      | no                    | –                     | stays, an other |
 * | yes      | yes                   | no                    | stays, an other |
 * | yes      | yes                   | yes                   | deleted         |
 */
export function deletionsOf({ listing, record, location, here, inside, isSelected }: DeletionInput): Deletions {
  const prefix = prefixOf(location)
  const others = inside.map(prefixOf)
  const found: Deletions = { objects: [], others: 0 }
  for (const [key, object] of listing) {
    // A listing of the whole bucket has the records too.
    if (!key.startsWith(prefix) || key.startsWith('.static-s3/')) continue
    if (others.some((other) => key.startsWith(other))) continue
    const path = key.slice(prefix.length)
    if (here.has(path) || !isSelected(path)) continue
    const recorded = describedBy(record, path, object)
    if (recorded && !recorded.adopted) found.objects.push(object)
    else found.others++
  }
  return found
}

/**
 * Refuses a folder that has nothing in common with the location, such as media for the location of the static files.
 *
 * @throws StaticS3Error if no recorded file is in the folder
 */
export function refuseOtherContent(
  { record, location, here }: Pick<DeletionInput, 'record' | 'location' | 'here'>,
  folder: string,
  mayReplaceAll: boolean,
): void {
  if (!record) return
  if (record.objects.size === 0 || mayReplaceAll || [...record.objects.keys()].some((path) => here.has(path))) return
  throw new StaticS3Error(
    `static-s3: ${locationName(location)} has the files of another folder: none of its ${record.objects.size} recorded files is in ${folder}. ` +
      `Give ${folder} a location of its own: static-s3 sync ${folder} LOCATION. To replace them all: --delete --max-delete ${record.objects.size}.`,
  )
}

import type { ListedObject } from '../bucket/bucket.js'
import { changeObjects } from '../release/delete-objects.js'
import { listRecords } from '../release/records/releases-folder.js'
import { type Survey, takeSurvey } from '../release/survey.js'
import { unstoppable } from '../runtime/stop.js'
import { type ChangeInput, changeAndRecord } from './change-and-record.js'
import { byFingerprint, expiredIn, isEmpty, type KnownSurvey, only, type Parts } from './plan-prune.js'
import { describedObjects } from './removals.js'

/** A lifecycle rule compares names and values exactly, so the time has a tag of its own. */
export const expiredTag = ['static-s3', 'expired'] as const
const tagsAt = (time: number) => ({
  ...{ [expiredTag[0]]: expiredTag[1], 'static-s3-expired-at': new Date(time).toISOString() },
})

/**
 * Tags the objects that the newest record calls expired, unless they have their tags. An object that was written since stays as it is.
 *
 * @param usable checks a survey
 * @returns the tagged objects, and the number of the release that records it; undefined if there was nothing to tag
 */
export async function tagExpired(
  input: ChangeInput,
  usable: (survey: Survey) => KnownSurvey,
): Promise<(Parts & { release: number }) | undefined> {
  const { bucket, settings, stop = unstoppable } = input
  const { location } = settings
  const find = async (found: Survey) => {
    const survey = usable(found)
    const { record } = survey
    const folder = await listRecords(bucket, location, stop.begun)
    const untagged = <T extends ListedObject>(objects: readonly T[]) =>
      objects.filter(({ key }) => record.expired?.get(key) === false)
    const parts: Parts = {
      objects: byFingerprint(untagged(describedObjects({ ...survey, location, inner: folder.inner }))),
      ...{ backups: untagged(folder.backups), records: untagged(folder.releases.records) },
    }
    const known = { ...survey, record: { ...record, expired: expiredIn(record, folder) } }
    return { survey: known, parts }
  }
  const first = await find(await takeSurvey(bucket, location, { signal: stop.begun }))
  if (isEmpty(first.parts)) return undefined
  return changeAndRecord(input, first.survey, async (lock, last) => {
    const { survey, parts } = last === first.survey ? first : await find(last)
    const tags = tagsAt(bucket.now())
    const tag = async ({ key }: ListedObject, options: object) => bucket.tag(key, tags, options).then(() => true)
    const tagged = new Set<string>()
    let [failure, isUnanswered]: [unknown, boolean] = [undefined, false]
    for (const part of [...parts.objects, parts.backups, parts.records]) {
      if (failure !== undefined) break
      const done = await changeObjects(bucket, part, settings.concurrency, lock, stop, tag)
      for (const key of done.changed) tagged.add(key)
      ;({ failure, isUnanswered } = done)
    }
    const result = { ...only(parts, tagged), release: lock.release }
    return { remaining: withExpired(survey, tagged, true), failure, isUnanswered, result }
  })
}

/** The survey whose record calls these objects expired. */
export function withExpired(survey: KnownSurvey, keys: Iterable<string>, isTagged: boolean): KnownSurvey {
  const { record } = survey
  const expired = new Map([...(record.expired ?? []), ...[...keys].map((key) => [key, isTagged] as const)])
  return { ...survey, record: { ...record, expired } }
}

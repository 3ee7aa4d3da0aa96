import { addMd5s } from './add-md5s.js'
import type { Bucket, ObjectParameters } from './bucket.js'
import { bodyOfBytes } from './bytes.js'
import type { DigestedFile } from './digest.js'
import { answerOf, isForbidden, plain, StaticS3Error } from './error.js'
import { groups } from './groups.js'
import { headersOf } from './headers.js'
import { type Lock, takeLock } from './lock.js'
import { hex, PackedMap, Paired, type Rows } from './packed.js'
import { type Decision, type Known, type Plan, plan } from './plan.js'
import { type Author, encodeBegun } from './record.js'
import { draftRecord, type Numbered, type RecordDraft } from './record-draft.js'
import { begunKey, latestRelease, lockKey, type ReleasesFolder, recordKey, releasesFolder } from './releases-folder.js'
import type { Settings } from './settings.js'
import { type Stop, unstoppable } from './stop.js'
import { isCurrent, nextRelease, readReleases, type Survey, takeSurvey } from './survey.js'
import { type Done, startUpload } from './upload.js'

export interface ReleaseInput {
  files: Rows<DigestedFile>
  survey: Survey
  bucket: Bucket
  /** Where it is reached without waiting for files, so that the lock is renewed in time. */
  aside?: Bucket
  /** Opens connections for so many requests that are about to come. */
  warm?: (requests: number) => void
  author: () => Promise<Author>
  /** Ends it before it is done. */
  stop?: Stop
  settings: Settings
  warn: (message: string) => void
  onProgress: (done: Done, all: Done) => void
  /** Told when another deploy is waited for. */
  onWait: (whom: string) => void
}

export interface Released {
  decisions: Rows<Decision>
  /** Its number; undefined where nothing was to be done, or no record can be kept. */
  release: number | undefined
}

/** Milliseconds after which a survey by which nothing is to be done is looked at again: builds may take long. */
const fresh = 10_000

/**
 * Brings the files into the bucket: what nobody refers to yet at once, and what visitors see under the location's lock, by a plan that
 * holds for the bucket as it then is. The record of what was done comes last.
 *
 * @throws StaticS3Error
 */
export async function release(input: ReleaseInput): Promise<Released> {
  const { bucket, settings, onProgress, stop = unstoppable } = input
  const upload = startUpload(bucket, settings.concurrency, onProgress, stop)
  const orFail = <T>(work: Promise<T>) =>
    work.catch((error: unknown) => {
      throw upload.failure(error)
    })
  let { survey } = input
  let first = await orFail(decide(input, survey))
  if (isUnchanged(first) && bucket.now() - survey.takenAt > fresh) {
    survey = await renewed(input, survey)
    first = await orFail(decide(input, survey))
  }
  if (isUnchanged(first)) return { decisions: first.decisions, release: undefined }

  input.warm?.(first.counts.upload + first.counts.copy)
  const author = await input.author()
  const keeps = survey.folder !== undefined && (await orFail(begin(input, author, first, 1)))
  const drafted = (known: Survey & Known, { changes }: Plan, numbered: Numbered) =>
    draftRecord({
      ...{ location: settings.location, author, numbered, files: input.files, changes, known },
      written: upload.written,
    })
  // In the hope that nobody comes between, and that the store minds `If-None-Match`, as most do.
  const next = keeps ? nextRelease(survey) : undefined
  const hoped = { release: next ?? 0, conditionalWrites: survey.record?.conditionalWrites ?? true }
  let record = next === undefined ? undefined : drafted({ ...survey, written: new Map() }, first, hoped)
  // Others needn't wait for what nobody refers to yet, but two round trips may go by while the last of it is on its way.
  const inVain = new AbortController()
  let taking: Promise<Lock> | undefined
  try {
    await upload.run(first, ['fingerprinted'], undefined, () => {
      if (keeps) taking = takeLockOf(input, author, survey, inVain.signal)
      taking?.catch(() => {})
    })
  } catch (error) {
    inVain.abort()
    await taking?.then((lock) => lock.giveUp()).catch(() => {})
    throw error
  }

  const takeAnother = async (lost: Lock) => {
    await lost.giveUp().catch(() => {})
    // Not its number again: where it couldn't be given up, it would pass for one whose answer was lost, though it has expired for all others.
    return takeLockOf(input, author, { ...survey, folder: lost.folder }, inVain.signal)
  }
  const taken = taking && (await orFail(taking))
  // Nothing was done under it yet: where it was lost meanwhile, another one does as well.
  const lock = taken && isLost(taken) ? await orFail(takeAnother(taken)) : taken
  try {
    let now = survey
    let last = first
    if (lock && !isCurrent(survey, lock.release)) {
      now = await orFail(takeSurvey(bucket, settings.location, { folder: lock.folder }))
      // What it wrote itself it knows better: somebody else may have given it other headers since.
      now.begun = now.begun.filter(({ id }) => id !== author.id)
      last = await orFail(decide({ ...input, files: first.files }, { ...now, written: upload.written }))
      // What it began with is older than the release that came between.
      await orFail(begin(input, author, last, 2))
    }
    if (lock && (last !== first || record?.conditionalWrites !== lock.conditionalWrites)) {
      record = drafted({ ...now, written: new PackedMap(hex, upload.written) }, last, lock)
    }
    await upload.run(last, last === first ? groups.slice(1) : groups, lock)
    const done = lock && record && (await keepRecord(input, author, lock, record, survey))
    return { decisions: carriedOut(first, last), release: done ? lock.release : undefined }
  } catch (error) {
    // What may still be carried out mustn't come after the next deploy: then the lock is left to end by itself.
    if (!upload.leftUnanswered()) await lock?.giveUp().catch(() => {})
    throw error
  } finally {
    await lock?.letGo()
  }
}

function isUnchanged({ decisions, counts }: Plan): boolean {
  return counts.unchanged === decisions.length
}

/** What became of each file: of what the first plan had uploaded already, the last one says that there is nothing left to do. */
function carriedOut(first: Plan, last: Plan): Rows<Decision> {
  if (first === last) return first.decisions
  return new Paired(first.decisions, last.decisions, (before, after) =>
    after.action === 'skip' && before.file.group === 'fingerprinted' ? before : after,
  )
}

/** The survey, taken again if another deploy has been at work since. */
async function renewed({ bucket, settings: { location } }: ReleaseInput, survey: Survey): Promise<Survey> {
  if (!survey.folder) return survey
  const folder = await readReleases(bucket, location)
  return isCurrent({ ...survey, folder }, latestRelease(survey.folder) + 1)
    ? survey
    : takeSurvey(bucket, location, { folder })
}

interface Decided extends Plan {
  /** With all that is known of them. */
  files: ReleaseInput['files']
}

/** The plan, with a warning or an error about fingerprinted names that come with other bytes. */
export async function decide(
  { files, settings, warn, stop = unstoppable }: Pick<ReleaseInput, 'files' | 'settings' | 'warn' | 'stop'>,
  survey: Omit<Known, 'written'> & Partial<Known>,
): Promise<Decided> {
  const known = { written: new Map<string, string>(), ...survey }
  let decided: Decided = { files, ...plan(files, known, settings.force) }
  if (decided.lacksMd5) {
    const complete = await addMd5s(files, known, stop.begun)
    decided = { files: complete, ...plan(complete, known, settings.force) }
  }
  guardFingerprints(decided, settings, warn)
  return decided
}

/**
 * Says what is about to be written, so that whoever comes after a crash knows the headers of what is there.
 *
 * @returns whether a record and a lock can be kept here
 */
async function begin(
  { bucket, aside = bucket, settings, warn }: ReleaseInput,
  author: Author,
  decided: Plan,
  time: 1 | 2,
): Promise<boolean> {
  const { location } = settings
  function* headersOfChanges(): Generator<[path: string, headers: string]> {
    for (const index of decided.changes) {
      const { file } = decided.decisions.at(index) as Decision
      yield [file.path, headersOf(file.parameters)]
    }
  }
  const headers = headersOfChanges()
  const body = bodyOfBytes(await encodeBegun(location, { ...author, at: new Date(), headers }))
  try {
    await aside.put(begunKey(releasesFolder(location), author.id, time), body, recordParameters(settings))
    return true
  } catch (error) {
    if (!isForbidden(error)) throw error
    warn(
      `no record of this release can be kept, so that the next one takes longer and two at once may mix: ${plain(error)}`,
    )
    return false
  }
}

function isLost(lock: Lock): boolean {
  try {
    lock.check()
    return false
  } catch {
    return true
  }
}

function takeLockOf(
  { bucket, aside = bucket, settings, stop = unstoppable, warn, onWait }: ReleaseInput,
  author: Author,
  survey: Survey,
  inVain: AbortSignal,
): Promise<Lock> {
  return takeLock({
    bucket: aside,
    location: settings.location,
    author,
    folder: survey.folder as ReleasesFolder,
    conditionalWrites: survey.record?.conditionalWrites ?? false,
    parameters: { ...recordParameters(settings), ContentType: 'application/json' },
    patience: settings.lockTimeout * 1000,
    stop: AbortSignal.any([stop.begun, inVain]),
    onWait,
  }).then((lock) => {
    if (!lock.conditionalWrites) {
      warn(
        'this store ignores conditional writes (If-None-Match), so that two deploys at once may mix: let one wait for the other',
      )
    }
    return lock
  })
}

/** @returns whether the record is there */
async function keepRecord(
  { bucket, settings, stop = unstoppable, warn }: ReleaseInput,
  author: Author,
  lock: Lock,
  record: RecordDraft,
  first: Survey,
): Promise<boolean> {
  const folder = releasesFolder(settings.location)
  try {
    const body = bodyOfBytes(await record.complete())
    lock.check()
    await bucket.put(
      recordKey(folder, lock.release),
      body,
      recordParameters(settings),
      AbortSignal.any([lock.signal, stop.cut]),
    )
  } catch (error) {
    warn(`the site is live, but its record could not be written, so that the next deploy takes longer: ${plain(error)}`)
    // A record that comes late mustn't come after the next deploy has begun.
    if (answerOf(error).status !== undefined) await lock.giveUp().catch(() => {})
    return false
  }
  await lock.letGo()
  const { begun, locks } = first.folder as ReleasesFolder
  const own = [lockKey(folder, lock.release), begunKey(folder, author.id, 1), begunKey(folder, author.id, 2)]
  const over = [...begun, ...locks, ...lock.folder.locks].map(({ key }) => key)
  try {
    await bucket.delete([...own, ...over])
  } catch (error) {
    warn(`what the deploy no longer needs stays in the bucket: ${plain(error)}`)
  }
  return true
}

/** What the bucket may ask of every object, and nothing that is for visitors. */
function recordParameters({ objectParameters }: Settings): ObjectParameters {
  const { ACL } = objectParameters
  const asked = [
    'BucketKeyEnabled',
    'ExpectedBucketOwner',
    'RequestPayer',
    'SSEKMSEncryptionContext',
    'SSEKMSKeyId',
    'ServerSideEncryption',
  ]
  return {
    ...Object.fromEntries(
      asked.flatMap((name) => (objectParameters[name] === undefined ? [] : [[name, objectParameters[name]]])),
    ),
    ...(ACL === 'bucket-owner-full-control' ? { ACL } : {}),
    ContentType: 'application/gzip',
    CacheControl: 'no-store',
  }
}

function guardFingerprints({ overwritten }: Plan, { fileOverwrite }: Settings, warn: (message: string) => void): void {
  const [first] = overwritten
  if (!first) return
  const names = overwritten.length === 1 ? first.key : `${first.key} and ${overwritten.length - 1} more`
  const what = `${names}: the bucket has other bytes under the same fingerprinted name, which browsers keep for a year`
  if (!fileOverwrite) {
    throw new StaticS3Error(
      `static-s3: ${what}. AWS_S3_FILE_OVERWRITE is off: make the bundler hash the content, or switch it on.`,
    )
  }
  warn(what)
}

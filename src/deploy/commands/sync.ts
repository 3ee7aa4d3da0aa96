import { basename, relative } from 'node:path'
import type { WriteStream } from 'node:tty'
import type { LeftOut } from '../../files/built-file.js'
import { type Classified, classify } from '../../files/classify.js'
import { collect } from '../../files/collect.js'
import { whyLeftOut } from '../../files/why-left-out.js'
import { readFolders } from '../../folders/read-folders.js'
import { deleteObjects, tooManyDeletions } from '../../release/delete-objects.js'
import type { Survey } from '../../release/survey.js'
import { StaticS3Error } from '../../runtime/error.js'
import { printable } from '../../runtime/printable.js'
import type { Settings } from '../../settings/settings.js'
import { deletionsOf, refuseOtherContent } from '../../sync/deletions.js'
import { locationsInside, syncName } from '../../sync/own-location.js'
import { type EarlySurvey, startEarlySurvey } from '../early-survey.js'
import type { Logger } from '../logger.js'
import { publishInSteps } from '../publish.js'
import { newTogether, type Together } from '../publish-together.js'
import { type FileSource, type FolderInput, hashOnly, throwProblems } from '../read-files.js'

export interface SyncInput {
  /** Absolute. */
  dir: string
  settings: Settings
  /** Deletes objects whose files are gone from the folder. */
  deletes: boolean
  /** The most objects to delete; undefined for the default. */
  maxDelete: number | undefined
  /** Replaces no object. */
  skipExisting: boolean
  logger: Logger
  terminal: WriteStream | undefined
}

/**
 * Uploads a folder that no build made to its own location: media, or Django's collected static files. Its files are not parsed, because they may
 * be anybody's uploads. All else is a deploy: its plan, its order, its lock and its record.
 *
 * @throws StaticS3Error when anything fails
 */
export async function syncFolder(input: SyncInput): Promise<Together['results']> {
  const { dir, settings, logger, terminal } = input
  const [release] = await readFolders([dir])
  const name = relative('', dir) || basename(dir)
  if (!release || release.publicUrl !== undefined) {
    throw new StaticS3Error(`static-s3: ${name} is the output folder of a build: static-s3 deploy ${name}`)
  }
  if (release.isDescribed) for (const note of release.notes) logger.info(printable(note))
  const earlySurvey = startEarlySurvey(settings, 'sync')
  const together = newTogether()
  const { outputs, notOurs, base } = release
  try {
    const folder = { settings, earlySurvey, outputs, before: new Map(), notOurs, base }
    const source = sourceOf(input, name, folder)
    const steps = publishInSteps({ ...folder, source, bundler: syncName, logger, terminal, together })
    for await (const _step of steps);
    return together.results
  } finally {
    earlySurvey.stop()
  }
}

type Folder = Pick<FolderInput, 'settings' | 'outputs'> & { earlySurvey: EarlySurvey }

function sourceOf({ dir, settings, deletes, maxDelete, skipExisting }: SyncInput, name: string, folder: Folder) {
  const { location, dryRun } = settings
  let here = new Set<string>()
  let inside: string[] = []
  let leftOut: LeftOut[] = []
  const reasonFor = whyLeftOut(settings)
  const isSelected = (path: string) => reasonFor(path) === undefined
  const source: FileSource = {
    async find() {
      const collected = await collect(folder.outputs, new Map(), [])
      // No build made them, so none of them is a build's report.
      const files = collected.files.map((file) => ({ ...file, emitted: true }))
      const classified = classify({ ...collected, files }, settings, folder.outputs)
      throwProblems(classified.problems)
      if (classified.files.length === 0) {
        throw new StaticS3Error(
          `static-s3: ${name} has no files to sync, so nothing was uploaded or deleted. Check the folder, ${dir}, and that its disk is mounted.`,
        )
      }
      leftOut = classified.leftOut
      here = new Set([...classified.files, ...leftOut].map(({ path }) => path))
      return classified
    },
    async hash(found, survey, signal) {
      const { bucket } = await folder.earlySurvey.connection
      if (deletes) inside = await locationsInside(bucket, location, signal)
      const files = skipExisting ? free(found, survey, leftOut) : found.files
      // Users delete media at any time.
      const onVanished = (path: string) => leftOut.push({ path, reason: 'vanished', byName: true })
      const hashed = await hashOnly({ files }, folder, survey, { signal, onVanished })
      const all = skipExisting ? hashed.map((file) => ({ ...file, createOnly: true })) : hashed
      return { files: all, warnings: [], hints: [] }
    },
    deployer: (own) => own,
    isRestorable: false,
    cleanup: {
      plan(survey) {
        const known = { ...survey, location, here, inside }
        refuseOtherContent(known, name, deletes && (maxDelete ?? 0) >= (survey.record?.objects.size ?? 0))
        if (!deletes) return undefined
        const deletions = deletionsOf({ ...known, isSelected })
        const problem = tooManyDeletions(
          deletions.objects,
          survey.record,
          maxDelete,
          'Check that the folder is complete',
        )
        if (problem !== undefined && !dryRun) throw new StaticS3Error(`static-s3: ${problem}. Nothing was deleted.`)
        return { ...deletions, problem }
      },
      carryOut: (bucket, objects, permit, stop) => deleteObjects(bucket, objects, settings.concurrency, permit, stop),
    },
  }
  return source
}

/** The files whose keys are free. The others are left out. */
function free({ files }: Classified, survey: Survey | undefined, leftOut: LeftOut[]): Classified['files'] {
  return files.filter(({ key, path }) => {
    if (!survey?.listing.has(key)) return true
    leftOut.push({ path, reason: 'existing object' })
    return false
  })
}

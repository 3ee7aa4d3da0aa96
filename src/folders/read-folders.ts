import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { buildFileName, type Output } from '../files/collect.js'
import { StaticS3Error } from '../runtime/error.js'
import { several } from '../runtime/printable.js'
import type { Settings } from '../settings/settings.js'
import { type BuildFacts, foldersNotOurs, outputOf, readFacts } from './build-file.js'
import { readManifests } from './manifests.js'

/** Finished builds that become one release: their folders have the same settings. */
export interface Release extends Pick<BuildFacts, 'base'> {
  bundler: string
  outputs: Output[]
  /** Folders inside these that are not part of them. Absolute. */
  notOurs: string[]
  /** The settings that the build knows. */
  known: KnownSettings
  /** The build's own public URL; undefined without a `.static-s3.json`. */
  publicUrl: string | undefined
  warnings: string[]
  notes: string[]
  /** False if nothing says which names are fingerprinted. */
  isDescribed: boolean
}

export type KnownSettings = Pick<BuildFacts, 'options' | 'exposed'>

/**
 * Reads what the builds have left in their folders.
 *
 * @param dirs absolute
 * @throws StaticS3Error if a folder's file cannot be used
 */
export async function readFolders(dirs: readonly string[]): Promise<Release[]> {
  const releases = new Map<string, Release>()
  for (const dir of new Set(dirs)) {
    for (const facts of (await readFacts(dir)) ?? [undefined]) {
      const { options = {}, exposed = [], publicUrl, base = '/', bundler = 'static-s3 deploy' } = facts ?? {}
      const id = JSON.stringify([options, exposed, publicUrl, base, bundler])
      const release = releases.get(id) ?? {
        ...{ bundler, base, publicUrl, known: { options, exposed } },
        ...{ outputs: [], notOurs: [], warnings: [], notes: [], isDescribed: false },
      }
      releases.set(id, release)
      await addFolder(release, dir, facts)
    }
  }
  // Each folder is uploaded once, even inside another one.
  for (const release of releases.values()) release.notOurs = [...release.notOurs, ...dirs]
  return [...releases.values()]
}

async function addFolder(release: Release, dir: string, facts: BuildFacts | undefined): Promise<void> {
  if (!facts) {
    refuseNextFolder(dir)
    refuseOtherFolder(dir)
    const manifests = readManifests(dir)
    const fingerprinted = manifests?.fingerprinted ?? new Set()
    release.outputs.push({ dir, emitted: fingerprinted, fingerprinted })
    release.isDescribed ||= manifests !== undefined
    const source = manifests ? manifests.from.join(', ') : 'nothing'
    release.notes.push(
      `${nameOf(dir)} has no ${buildFileName}: ${source} says which names are fingerprinted${manifests ? '' : ', so browsers revalidate all files. A build with STATIC_S3_UPLOAD=0 leaves that file there'}`,
    )
    return
  }
  const { output, changed } = await outputOf(dir, facts)
  release.outputs.push(output)
  release.notOurs = [...release.notOurs, ...foldersNotOurs(dir, facts)]
  release.isDescribed = true
  if (changed.length > 0) {
    release.warnings.push(
      `${several(changed)}: the content has changed since the build, so browsers are told to revalidate it`,
    )
  }
}

/** @throws StaticS3Error if the settings lead elsewhere than the build's URLs */
export function checkPublicUrl(release: Release, settings: Pick<Settings, 'publicUrl'>): void {
  const { publicUrl } = release
  if (publicUrl === undefined || publicUrl === settings.publicUrl) return
  throw new StaticS3Error(
    `static-s3: ${namesOf(release)} was built for ${publicUrl}, and these settings lead to ${settings.publicUrl}: ` +
      `deploy with the build's settings, or build again with these (${buildFileName} has the build's URL)`,
  )
}

/** The folders of a release, as the user knows them. */
export function namesOf({ outputs }: Release): string {
  return outputs.map(({ dir }) => nameOf(dir)).join(' ')
}

function nameOf(dir: string): string {
  return relative('', dir) || '.'
}

/** @throws StaticS3Error for a folder whose files were lost on their way from the build */
export function refuseEmptyFolder(dir: string): void {
  if (readdirSync(dir).some((name) => name !== buildFileName)) return
  throw new StaticS3Error(`static-s3: ${nameOf(dir)} is empty: build first, or bring the build's files here`)
}

/** @throws StaticS3Error for Next's `.next`, which also holds the server's code */
function refuseNextFolder(dir: string): void {
  if (!existsSync(join(dir, 'build-manifest.json')) || !existsSync(join(dir, 'server'))) return
  const folder = (name: string) => join(nameOf(dir), name)
  const remedy = existsSync(join(dir, 'static-s3'))
    ? `deploy ${folder('static-s3')}`
    : `deploy ${folder('static')} to the location …/_next/static, or build with static-s3/next`
  throw new StaticS3Error(`static-s3: ${nameOf(dir)} also holds the code of Next's server: ${remedy}`)
}

/** @throws StaticS3Error for a folder beside the one in which a framework's build has collected its files, URLs included */
function refuseOtherFolder(dir: string): void {
  const collected = join(dir, '..', 'static-s3')
  if (!existsSync(join(collected, buildFileName))) return
  throw new StaticS3Error(
    `static-s3: ${nameOf(dir)} is only a part of the build's files: deploy ${nameOf(collected)}, where the build has collected all of them`,
  )
}

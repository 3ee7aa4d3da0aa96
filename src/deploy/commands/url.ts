import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type BuildFacts, readFacts } from '../../folders/build-file.js'
import { findFile } from '../../folders/find-file.js'
import { manifestsIn } from '../../folders/manifests.js'
import type { KnownSettings } from '../../folders/read-folders.js'
import { StaticS3Error } from '../../runtime/error.js'
import type { Settings } from '../../settings/settings.js'
import { encodePath } from '../../urls/paths.js'
import { whyLeftOut } from '../deploy.js'

export interface UrlsInput {
  /** The output folder, absolute. */
  dir: string
  /** Names in the sources or in the folder. */
  files: readonly string[]
  /** Completes the settings that a build knows. */
  settingsFor(known: KnownSettings): Promise<Settings>
}

export interface Urls {
  /** By the file's name. */
  urls: Map<string, string>
  warnings: string[]
}

/**
 * The public URLs of a finished build's files. A URL that the build itself names, in a manifest or in its `.static-s3.json`, beats the settings.
 *
 * @throws StaticS3Error for a file without a public URL
 */
export async function publicUrls({ dir, files, settingsFor }: UrlsInput): Promise<Urls> {
  const [build] = (await readFacts(dir)) ?? []
  const { options = {}, exposed = [] } = build ?? {}
  const loading = settingsFor({ options, exposed })
  // The build may name each URL.
  const settings = await loading.catch(() => undefined)
  const urls = new Map<string, string>()
  for (const name of files) {
    const found = findFile(dir, name)
    const { path, isInManifest } = found
    if (path !== undefined) refuseLeftOut(name, path, isInManifest, build, settings)
    if ('url' in found) urls.set(name, found.url)
    else urls.set(name, (build?.publicUrl ?? (await loading).publicUrl) + encodePath(found.path))
  }
  return { urls, warnings: settings ? [...settings.warnings, ...differences(dir, urls, settings)] : [] }
}

/** @throws StaticS3Error if a deploy leaves the file out */
function refuseLeftOut(
  name: string,
  path: string,
  isInManifest: boolean,
  build: BuildFacts | undefined,
  settings: Settings | undefined,
): void {
  const namedDotfiles = new Set(isInManifest ? [path] : build?.namedDotfiles)
  const reason = build?.leftOut[path] ?? (settings && whyLeftOut(settings, [{ namedDotfiles }])(path))
  if (reason === undefined) return
  throw new StaticS3Error(`static-s3: ${name} is left out of a deploy (${reason}), so it has no public URL`)
}

function differences(dir: string, urls: ReadonlyMap<string, string>, { publicUrl }: Settings): string[] {
  const [elsewhere] = [...urls.values()].filter((url) => !url.startsWith(publicUrl))
  if (elsewhere === undefined) return []
  return [
    `${relative('', dir) || '.'} was built for ${elsewhere}, but these settings lead to ${publicUrl}: the build's URL is printed`,
  ]
}

/** Output folders of Vite and webpack; of SvelteKit and Create React App; of Laravel and Encore; of vite_ruby. */
const usual = ['dist', 'build', 'public/build', 'public/vite']

/**
 * The output folder in a project: the only usual one with a manifest, or else the only usual one that exists.
 *
 * @throws StaticS3Error if there is none, or several
 */
export function outputFolder(project: string): string {
  const there = usual.map((folder) => join(project, folder)).filter((folder) => existsSync(folder))
  const built = there.filter((dir) => existsSync(join(dir, '.static-s3.json')) || manifestsIn(dir).length > 0)
  const [dir, ...others] = built.length > 0 ? built : there
  if (dir === undefined) {
    throw new StaticS3Error(
      `static-s3: none of ${usual.join(', ')} is here: build first, or name the output folder with --dir`,
    )
  }
  if (others.length === 0) return dir
  const names = [dir, ...others].map((each) => relative(project, each))
  throw new StaticS3Error(`static-s3: ${names.join(' and ')} are output folders: name one with --dir`)
}

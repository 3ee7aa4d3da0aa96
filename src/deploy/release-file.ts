import { hash } from 'node:crypto'
import { releaseFile } from '../files/built-file.js'
import { type Classified, classify } from '../files/classify.js'
import { contentOf, type HashedFile, type HashFilesOptions } from '../files/hash.js'
import { prefixOf } from '../urls/paths.js'
import type { FolderInput, Proved } from './read-files.js'

/** Stands in every script that contains `onNewRelease` of `static-s3/client`. */
const marker = `${releaseFile}#static-s3`

/** Adds the file by which `onNewRelease` notices a release, if a script of the build asks for it. */
export interface ReleaseFile {
  lookFor: NonNullable<HashFilesOptions['lookFor']>
  /** @param files all files of the release, hashed */
  addTo(files: readonly HashedFile[]): Pick<Proved, 'files' | 'hints'>
}

/** @param coming files of the builds of the same run, by key. Gets the release file */
export function releaseFileOf(
  found: Classified,
  { settings, outputs }: Pick<FolderInput, 'settings' | 'outputs'>,
  coming: Map<string, string> = new Map(),
): ReleaseFile {
  const key = prefixOf(settings.location) + releaseFile
  let isWatched = false
  return {
    lookFor: ({ path }) =>
      /\.([cm]?js|html?)$/i.test(path)
        ? (bytes) => {
            isWatched ||= bytes.includes(marker)
          }
        : undefined,
    addTo(files) {
      if (!isWatched) return { files, hints: [] }
      if (coming.has(key) || found.files.some((file) => file.key === key)) {
        const hint = `${key}: another file of this run has this name, and stays: onNewRelease() calls back when its content changes`
        return { files, hints: [hint] }
      }
      const built = { path: releaseFile, dir: '', emitted: true, fingerprinted: false }
      const [file] = classify({ files: [built], leftOut: [] }, settings, outputs).files
      const hasPages = files.some(({ group }) => group === 'html')
      if (!file || !hasPages) {
        const reason = hasPages ? 'include or exclude leaves it out' : 'it goes up with pages, and this build has none'
        return { files, hints: [`${releaseFile}: ${reason}, so onNewRelease() never calls back`] }
      }
      const content = Buffer.from(`${JSON.stringify({ release: releaseIdOf(files) })}\n`)
      coming.set(key, '')
      const hashes = { sha256: hash('sha256', content), md5: hash('md5', content) }
      return { files: [...files, { ...file, compress: false, ...hashes, size: content.length, content }], hints: [] }
    },
  }
}

/** Two builds with the same files have the same id. */
function releaseIdOf(files: readonly HashedFile[]): string {
  const lines = files.map((file) => `${contentOf(file)} ${file.path}\n`)
  return hash('sha256', lines.sort().join('')).slice(0, 16)
}

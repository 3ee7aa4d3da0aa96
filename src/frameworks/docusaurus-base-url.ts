import { existsSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { lookup } from 'mime-types'
import { filesBelow } from '../runtime/files-below.js'
import { isSvgSprite } from '../urls/svg-sprite.js'

interface StaticFolders {
  /** The name under which the module imports Docusaurus' own. */
  original: string
  dirs: readonly string[]
  isUploaded: (path: string) => boolean
  baseUrl: string
  publicUrl: string
}

/**
 * The code of a module with the exports of `@docusaurus/useBaseUrl`. Docusaurus gives it to pages and links too, so it names the bucket only for
 * pictures, media and fonts of the static folders. The module lists their endings, and the files that do not go to the bucket: both lists are short.
 */
export function baseUrlModule({ original, dirs, isUploaded, baseUrl, publicUrl }: StaticFolders): string {
  const media = dirs.flatMap(filesIn).filter(({ path }) => /^(image|audio|video|font)\//.test(lookup(path) || ''))
  const goesToBucket = ({ path, file }: StaticFile) =>
    isUploaded(path) && !(/\.svg$/i.test(path) && isSvgSprite(readFileSync(file, 'utf8')))
  const inBucket = media.filter(goesToBucket)
  const endings = [...new Set(inBucket.map(({ path }) => extname(path)))].sort()
  const others = media.filter((file) => !inBucket.includes(file)).map(({ path }) => path)
  return `import { useBaseUrlUtils as useOriginal } from '${original}'
export * from '${original}'

const endings = ${JSON.stringify(endings)}
const others = ${JSON.stringify(others.sort().flatMap((path) => [...new Set([path, encodeURI(path)])]))}

function inBucket(url) {
  const [, path, rest] = /^([^?#]*)(.*)$/s.exec(url ?? '')
  // './' with the hash router.
  const root = [${JSON.stringify(baseUrl)}, './'].find((start) => path.startsWith(start))
  const file = path.slice(root?.length)
  if (root === undefined || !endings.includes(/\\.[^./]+$/.exec(file)?.[0])) return undefined
  return others.includes(file) ? undefined : ${JSON.stringify(publicUrl)} + file.replace(/\\+/g, '%2B') + rest
}

// Like the original, the same function each time.
const known = new WeakMap()

export function useBaseUrlUtils() {
  const { withBaseUrl: original } = useOriginal()
  const withBaseUrl = known.get(original) ?? ((url, options) => inBucket(original(url)) ?? original(url, options))
  known.set(original, withBaseUrl)
  return { withBaseUrl }
}

export default function useBaseUrl(url, options) {
  return useBaseUrlUtils().withBaseUrl(url, options)
}
`
}

interface StaticFile {
  file: string
  /** With `/` on every system. */
  path: string
}

function filesIn(dir: string): StaticFile[] {
  // Docusaurus ignores a missing folder too.
  if (!existsSync(dir)) return []
  return filesBelow(dir).map((path) => ({ path, file: join(dir, path) }))
}

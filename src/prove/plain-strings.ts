import { readFileSync } from 'node:fs'
import { fileOf } from '../files/built-file.js'
import type { ClassifiedFile } from '../files/classify.js'
import { rootPathGlance } from '../references/root-paths.js'
import { several } from '../runtime/printable.js'
import { isSvgSprite } from '../urls/svg-sprite.js'

/** Plain strings with the path of a public file from the page's root: no bundler points them to the bucket. */
export interface PlainStrings {
  look(path: string, bytes: Buffer): void
  hints(): string[]
}

/** Files that browsers, crawlers or pages request from the page's origin. Plain strings are right for them. */
const atHome =
  /(^|\/)(robots\.txt|(humans|ads|security)\.txt|favicon[^/]*|apple-touch-icon[^/]*|browserconfig\.xml|sitemap[^/]*)$|^\.well-known\/|\.[cm]?js$/i

/** @param base the output folder on the page's origin */
export function plainStrings(files: readonly ClassifiedFile[], base: string): PlainStrings {
  const named = files.filter(({ path, group }) => group === 'asset' && !atHome.test(path))
  const byPath = new Map(named.map((file) => [file.path, file]))
  const glance = rootPathGlance(byPath, /^\/(?!\/)/.test(base) ? base : '/')
  const found = new Map<string, string>()
  return {
    look(path, bytes) {
      for (const name of glance(bytes)) if (!found.has(name)) found.set(name, path)
    },
    hints() {
      const strings = [...found].filter(([name]) => !isSprite(byPath.get(name) as ClassifiedFile))
      const [first] = strings
      if (first === undefined) return []
      const list = strings.map(([name, path]) => `/${name} in ${path}`)
      return [
        `${several(list)}: plain strings stay on the page's origin. To use the bucket, write STATIC_URL + '${first[0]}'; ` +
          'to stay, leave the file out with `exclude`',
      ]
    },
  }
}

function isSprite(file: ClassifiedFile): boolean {
  return file.path.endsWith('.svg') && isSvgSprite(readFileSync(fileOf(file), 'utf8'))
}

import { readFileSync } from 'node:fs'
import { fileOf } from '../files/built-file.js'
import type { ClassifiedFile } from '../files/classify.js'
import { namesFile } from '../references/file-name.js'
import { several } from '../runtime/printable.js'

/** URLs from the root in stylesheets, such as `url(/photo.png)`. In the bucket, they lead to the root of the public URL's host. */
export interface RootUrls {
  look(file: ClassifiedFile, bytes: Buffer): void
  /** @param isThere whether a URL names a file of the location */
  hints(isThere: (url: string) => boolean): Promise<string[]>
}

const isFromRoot = /^\/(?!\/)/

export function rootUrls(publicUrl: string): RootUrls {
  const suspects = new Set<ClassifiedFile>()
  return {
    look(file, bytes) {
      if (['(/', '"/', "'/"].some((begin) => bytes.includes(begin))) suspects.add(file)
    },
    async hints(isThere) {
      if (suspects.size === 0) return []
      const { referencesIn } = await import('../references/references.js')
      const found = new Map<string, string>()
      for (const file of suspects) {
        const css = readFileSync(fileOf(file), 'utf8')
        const find = (text: string) => (isFromRoot.test(text) && namesFile(text) ? [text] : [])
        const { urls } = referencesIn('stylesheet', css, find)
        for (const url of urls) if (!isThere(new URL(url, publicUrl).href)) found.set(url, file.path)
      }
      const [first] = found.keys()
      if (first === undefined) return []
      const list = [...found].map(([url, path]) => `${url} in ${path}`)
      return [
        `${several(list)}: such a URL leads to the root of the stylesheet's own host, here to ${new URL(first, publicUrl).href}. ` +
          'To use another file of the build, name it relative to the stylesheet; otherwise write the whole URL',
      ]
    },
  }
}

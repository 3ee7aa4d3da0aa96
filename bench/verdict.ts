import { lookup } from 'mime-types'
import type { Verdict } from './results.js'
import type { ListedObject } from './server/control.js'
import type { Folder } from './work/folder.js'

/** Compares the bucket with the folder. Objects that an older build left do not count. */
export function judge(folder: Folder, location: string, objects: readonly ListedObject[]): Verdict {
  const byKey = new Map(objects.map((object) => [object.key, object]))
  const verdict: Verdict = { wrongFiles: 0, wrongTypes: 0, wrongCaching: 0 }
  for (const { path, size, etags, fingerprinted } of folder.files) {
    const object = byKey.get(`${location}/${path}`)
    if (!object || object.size !== size || !etags.includes(object.etag)) verdict.wrongFiles++
    if (!isTypeOf(object?.headers['content-type'], path)) verdict.wrongTypes++
    if (isCachedForLong(object?.headers['cache-control']) !== fingerprinted) verdict.wrongCaching++
  }
  return verdict
}

/** JavaScript and icons have several right types. */
function isTypeOf(type: string | undefined, path: string): boolean {
  const names = (text: string) =>
    text
      .replace(/;.*/, '')
      .replace(/^application\/(x-)?javascript$/, 'text/javascript')
      .replace('image/vnd.microsoft.icon', 'image/x-icon')
  return type !== undefined && names(type) === names(lookup(path) || '')
}

function isCachedForLong(cacheControl: string | undefined): boolean {
  const [, seconds = '0'] = /max-age=(\d+)/.exec(cacheControl ?? '') ?? []
  return Number(seconds) >= 30 * 24 * 3600
}

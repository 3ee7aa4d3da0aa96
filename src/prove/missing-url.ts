import { closest, distance } from 'fastest-levenshtein'
import type { LeftOut } from '../files/built-file.js'
import { several } from '../runtime/printable.js'

/** A URL that names no file, and the files that contain it. */
export interface MissingUrl {
  url: string
  /** The decoded path below the location. */
  path: string
  in: string[]
}

/** The most URLs in one report. */
const most = 50

/** The problems of missing URLs, each with the nearest existing name and a remedy. */
export function describeMissing(
  missing: readonly MissingUrl[],
  known: readonly string[],
  leftOut: readonly LeftOut[],
): string[] {
  if (missing.length === 0) return []
  const reasons = new Map(leftOut.map(({ path, reason }) => [path, reason]))
  const listed = missing.slice(0, most).map((each) => {
    const reason = reasons.get(each.path)
    const why =
      reason === undefined ? nearest(each.path, known) : `is left out (${reason})${remedyFor(each.path, reason)}`
    return `${several(each.in)}: ${each.url} ${why}`
  })
  const more = missing.length > most ? [`${missing.length - most} more URLs name no file`] : []
  const allowed = missing.slice(0, 3).map(({ path }) => `'${path}'`)
  return [
    ...listed,
    ...more,
    `If something else puts these files there, list them, or globs of them: allowMissing: [${allowed.join(', ')}]`,
  ]
}

function nearest(path: string, known: readonly string[]): string {
  const fold = (name: string) => name.normalize('NFC').toLowerCase()
  const twin = known.find((name) => fold(name) === fold(path))
  if (twin === undefined) {
    const near = known.length === 0 ? '' : closest(path, known as string[])
    const isNear = near !== '' && distance(path, near) <= Math.max(2, near.length / 4)
    return isNear ? `names no file: did you mean ${near}?` : 'names no file'
  }
  return twin.normalize('NFC') === path.normalize('NFC')
    ? `names no file: the name of ${twin} has the same letters in another Unicode form (NFC, NFD); rename the file`
    : `names no file: the file is ${twin}, and upper and lower case differ in S3`
}

const byDefault: readonly LeftOut['reason'][] = [
  ...(['dotfile', 'private key', 'source map', 'bundle statistics', 'compressed copy'] as const),
]

function remedyFor(path: string, reason: LeftOut['reason']): string {
  if (reason === 'excluded') return ': take it out of `exclude`'
  if (reason === 'not included') return ': add it to `include`'
  return byDefault.includes(reason) ? `: include: ['**', '${path}'] uploads it` : ''
}

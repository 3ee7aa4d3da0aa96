import { fileName, type LeftOutReason } from '../files/built-file.js'
import type { ClassifiedFile, WithheldFile } from '../files/classify.js'
import { several } from '../runtime/printable.js'

/** The bundler's files that are left out: an error if a file in the bucket refers to one, otherwise a warning, unless it is expected. */
export interface WithheldFiles {
  look(file: Pick<ClassifiedFile, 'path' | 'group'>, bytes: Buffer): void
  problems(): string[]
  warnings(): string[]
}

export function withheldFiles(files: readonly WithheldFile[]): WithheldFiles {
  // Only a fingerprinted name means this file wherever it occurs.
  const sought = files.filter(isSought).map(({ path, reason }) => {
    // webpack's code joins the public URL and a bare path. A longer URL outside the public URL leads to the page's own server.
    const bare = ['"', "'", '`'].map((quote) => `${quote}${path}${quote}`)
    return { path, reason, bare, name: fileName(path), inBucket: [] as string[], elsewhere: [] as string[] }
  })
  return {
    look({ path, group }, bytes) {
      for (const { name, bare, inBucket, elsewhere } of sought) {
        if (!bytes.includes(name)) continue
        // A service worker resolves the bare paths of its precache against its own URL, on the page's origin.
        const isBare = group !== 'service worker' && bare.some((text) => bytes.includes(text))
        if (isBare) inBucket.push(path)
        else elsewhere.push(path)
      }
    },
    problems: () =>
      sought
        .filter(({ inBucket }) => inBucket.length > 0)
        .map(({ path, reason, inBucket }) => `${several(inBucket)} refers to ${path}, which is left out (${reason})`),
    warnings: () => [
      ...sought
        .filter(({ elsewhere }) => elsewhere.length > 0)
        .map(
          ({ path, reason, elsewhere }) =>
            `${path} is left out (${reason}): your own server has to serve it for ${several(elsewhere)}`,
        ),
      ...unexpected(files.filter(({ path }) => sought.every((each) => each.path !== path || !isNamed(each)))),
    ],
  }
}

function isNamed({ inBucket, elsewhere }: { inBucket: string[]; elsewhere: string[] }): boolean {
  return inBucket.length + elsewhere.length > 0
}

function unexpected(files: readonly WithheldFile[]): string[] {
  const list = files.filter((file) => !isExpected(file)).map(({ path, reason }) => `${path} (${reason})`)
  if (list.length === 0) return []
  return [`${several(list)}: left out, though the bundler made it; to upload it, add its name to include: ['**', …]`]
}

function isSought({ reason, fingerprinted }: WithheldFile): boolean {
  return fingerprinted && reason !== 'source map' && reason !== 'compressed copy'
}

/** No visitor needs these files, or the user left them out. */
const expected: readonly LeftOutReason[] = [
  'not included',
  'excluded',
  'source map',
  'bundle statistics',
  'compressed copy',
]

function isExpected({ path, reason }: WithheldFile): boolean {
  return expected.includes(reason) || /^\.vite\/|(^|\/)\.(nojekyll|gitkeep|gitignore|DS_Store)$/.test(path)
}

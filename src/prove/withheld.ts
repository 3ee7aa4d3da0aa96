import type { WithheldFile } from '../files/classify.js'
import { fileName, isChoice } from '../files/why-left-out.js'
import { several } from './missing-url.js'

/** The bundler's files that are left out: an error if a file names one, otherwise a warning unless that is to be expected. */
export interface WithheldFiles {
  look(path: string, bytes: Buffer): void
  problems(): string[]
  warnings(): string[]
}

export function withheldFiles(files: readonly WithheldFile[]): WithheldFiles {
  // Only a name made from the content stands for this file wherever it is: webpack adds the public URL in the browser.
  const names = files
    .filter(isSought)
    .map((file) => ({ ...file, name: Buffer.from(fileName(file.path)), in: [] as string[] }))
  return {
    look(path, bytes) {
      for (const each of names) if (!each.in.includes(path) && bytes.includes(each.name)) each.in.push(path)
    },
    problems: () =>
      names.flatMap(({ path, reason, in: [file, ...more] }) =>
        file === undefined ? [] : [`${several([file, ...more])} refers to ${path}, which is left out (${reason})`],
      ),
    warnings() {
      const isNamed = (path: string) => names.some((each) => each.path === path && each.in.length > 0)
      const surprising = files.filter(({ path, reason }) => !isExpected(path, reason) && !isNamed(path))
      const list = surprising.map(({ path, reason }) => `${path} (${reason})`)
      if (list.length === 0) return []
      return [
        `${several(list)}: left out, though the bundler made it; to upload it, add its name to include: ['**', …]`,
      ]
    },
  }
}

function isSought({ reason, fingerprinted }: WithheldFile): boolean {
  return fingerprinted && reason !== 'source map'
}

/** No visitor needs these files, or the user has decided. */
function isExpected(path: string, reason: string): boolean {
  return isChoice(reason) || /^(source map|bundle statistics)$/.test(reason) || /^\.vite\//.test(path)
}

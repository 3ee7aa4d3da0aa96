import { type Group, groups } from '../../files/built-file.js'
import type { HashedFile } from '../../files/hash.js'
import type { Decision } from '../plan.js'
import type { Survey } from '../survey.js'

/** What a release changes for visitors. */
export interface Change {
  decisions: readonly Decision[]
  /** The bucket before the change. */
  survey: Pick<Survey, 'listing' | 'record'>
  /** Keys. */
  deleted: ReadonlySet<string>
}

/** An amount of written files. */
export interface Done {
  files: number
  bytes: number
}

type Counts = Record<Group, number>

const none = () => Object.fromEntries(groups.map((group) => [group, 0])) as Counts
const sum = (counts: Counts, which: readonly Group[]) => which.reduce((all, group) => all + counts[group], 0)

const withoutFingerprint = ['asset', 'manifest', 'service worker'] as const

/** Counts the writes of a deploy, and tells what visitors see if it fails. */
export class WriteCounts {
  /** All that is written. */
  readonly done: Done = { files: 0, bytes: 0 }
  /** All that is to be written, `done` included. */
  all: Done = { files: 0, bytes: 0 }
  readonly #known = none()
  /** Requests without an answer: the store may have carried them out. */
  readonly #unknown = none()

  plan({ files, bytes }: Done): void {
    this.all = { files: this.done.files + files, bytes: this.done.bytes + bytes }
  }

  written({ group, size }: Pick<HashedFile, 'group' | 'size'>): void {
    this.#known[group]++
    this.done.files++
    this.done.bytes += size
  }

  unanswered({ group }: Pick<HashedFile, 'group'>): void {
    this.#unknown[group]++
  }

  whatVisitorsSee(): string {
    const [known, unknown] = [this.#known, this.#unknown]
    const up =
      this.all.files === 0
        ? ''
        : ` ${this.done.files} of ${this.all.files} files are up, and the next run carries on from there.`
    const [pages, mayBePages] = [known.html, unknown.html]
    if (pages + mayBePages > 0) {
      const need = pages + mayBePages === 1 ? 'it needs' : 'they need'
      return `${areNew(pages, mayBePages, 'page', 'pages')}, and everything that ${need} is there.${up}`
    }
    const [assets, mayBeAssets] = [sum(known, withoutFingerprint), sum(unknown, withoutFingerprint)]
    if (assets + mayBeAssets > 0) {
      const are = areNew(assets, mayBeAssets, 'file without a fingerprint', 'files without a fingerprint')
      return `The old pages stand; ${are}.${up}`
    }
    return `The site stands as it was.${up}`
  }
}

function areNew(known: number, unknown: number, one: string, several: string): string {
  const are = `${known} ${known === 1 ? `${one} is` : `${several} are`} new`
  if (unknown === 0) return are
  return known === 0 ? `${unknown} ${unknown === 1 ? one : several} may be new` : `${are} and ${unknown} more may be`
}

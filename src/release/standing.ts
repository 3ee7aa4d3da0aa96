import { type Group, groups } from '../files/built-file.js'

type Counts = Readonly<Record<Group, number>>

const withoutFingerprint = ['asset', 'manifest', 'service worker'] as const

const sum = (counts: Counts, which: readonly Group[]) => which.reduce((all, group) => all + counts[group], 0)

/**
 * What visitors see after a deploy that failed.
 *
 * @param known how many files of each group were written
 * @param unknown how many requests of each group nobody has answered: the store may have carried them out
 * @param planned how many files were to be written in all
 */
export function whatVisitorsSee(known: Counts, unknown: Counts, planned: number): string {
  const up =
    planned === 0 ? '' : ` ${sum(known, groups)} of ${planned} files are up, and the next run carries on from there.`
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

function areNew(known: number, unknown: number, one: string, several: string): string {
  const are = `${known} ${known === 1 ? `${one} is` : `${several} are`} new`
  if (unknown === 0) return are
  return known === 0 ? `${unknown} ${unknown === 1 ? one : several} may be new` : `${are} and ${unknown} more may be`
}

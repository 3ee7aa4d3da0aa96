import { hash } from 'node:crypto'

/** A file of a build. */
export interface WorkFile {
  /** Relative, with `/`. */
  path: string
  size: number
  /** True if its name contains a hash of its content. */
  fingerprinted: boolean
  /** Determines its bytes. */
  seed: string
}

export interface Work {
  name: WorkName
  title: string
  /** @param changed true for the build with five changed files */
  files(changed: boolean): WorkFile[]
}

export type WorkName = 'many-small' | 'site' | 'twenty-thousand' | 'hundred-thousand' | 'large'

/** A file without the fingerprint in its name. */
interface Draft {
  folder: string
  name: string
  ending: string
  size: number
  fingerprinted: boolean
}

export const works: readonly Work[] = [
  work('many-small', '3,000 files of 2 kB', smallFiles(3000)),
  work('site', 'a site: 200 files, 12 MB', siteFiles()),
  work('twenty-thousand', '20,000 files of 2 kB', smallFiles(20_000)),
  work('hundred-thousand', '100,000 files of 2 kB', smallFiles(100_000)),
  work('large', '40 files, 1 GB', largeFiles()),
]

function work(name: WorkName, title: string, drafts: readonly Draft[]): Work {
  const changing = indexesOfChanging(drafts)
  return {
    name,
    title,
    files: (changed) => drafts.map((draft, i) => complete(name, draft, changed && changing.has(i) ? 2 : 1)),
  }
}

/** Picks four fingerprinted files across the work, and its page. */
function indexesOfChanging(drafts: readonly Draft[]): Set<number> {
  const fingerprinted = drafts.flatMap(({ fingerprinted }, i) => (fingerprinted ? [i] : []))
  const step = Math.floor(fingerprinted.length / 4)
  const page = drafts.findIndex(({ name }) => name === 'index')
  return new Set([0, 1, 2, 3].map((i) => fingerprinted[i * step] as number).concat(page))
}

function complete(work: WorkName, { folder, name, ending, size, fingerprinted }: Draft, version: number): WorkFile {
  const seed = `${work}/${folder}${name}.${ending}/${version}`
  const fingerprint = fingerprinted ? `-${hash('sha256', seed).slice(0, 8)}` : ''
  return { path: `${folder}${name}${fingerprint}.${ending}`, size, fingerprinted, seed }
}

function page(name: string, size: number): Draft {
  return { folder: '', name, ending: 'html', size, fingerprinted: false }
}

function asset(name: string, ending: string, size: number): Draft {
  return { folder: 'assets/', name, ending, size, fingerprinted: true }
}

/** One file in a hundred is a page; the others are fingerprinted. */
function smallFiles(count: number): Draft[] {
  const endings = ['js', 'js', 'js', 'css', 'svg', 'js', 'webp', 'js', 'js', 'css']
  return Array.from({ length: count }, (_, i) => {
    const number = String(i).padStart(5, '0')
    if (i === 0) return page('index', 2048)
    return i % 100 === 0 ? page(`page-${number}`, 2048) : asset(`part-${number}`, endings[i % 10] as string, 2048)
  })
}

/** The files of an application of middling size. */
function siteFiles(): Draft[] {
  const files = [
    page('index', 4200),
    ...spread(7, 3000, 28_000).map((size, i) => page(`page-${i}`, size)),
    { ...page('robots', 120), ending: 'txt' },
    { ...page('favicon', 15_086), ending: 'ico' },
    asset('vendor', 'js', 340_000),
    ...spread(69, 700, 130_000).map((size, i) => asset(`chunk-${i}`, 'js', size)),
    ...spread(25, 500, 60_000).map((size, i) => asset(`style-${i}`, 'css', size)),
    ...spread(12, 18_000, 70_000).map((size, i) => asset(`font-${i}`, 'woff2', size)),
    ...spread(33, 400, 8000).map((size, i) => asset(`icon-${i}`, 'svg', size)),
  ]
  const total = 12_000_000 - files.reduce((sum, { size }) => sum + size, 0)
  const pictures = spread(200 - files.length, 12_000, 900_000)
  const scale = total / pictures.reduce((sum, size) => sum + size, 0)
  return [...files, ...pictures.map((size, i) => asset(`picture-${i}`, 'webp', Math.round(size * scale)))]
}

/** Sizes from the smallest to the largest; each grows by the same factor. */
function spread(count: number, smallest: number, largest: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.round(smallest * (largest / smallest) ** (i / (count - 1))))
}

function largeFiles(): Draft[] {
  const size = 25_000_000
  return [
    { ...page('index', size), ending: 'pdf' },
    ...Array.from({ length: 39 }, (_, i) => asset(`film-${i}`, 'mp4', size)),
  ]
}

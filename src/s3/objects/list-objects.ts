import type { ListedObject, ListOptions } from '../../bucket/bucket.js'
import { compareKeys } from '../../bucket/bucket.js'
import { eachInParallel } from '../../runtime/parallel.js'
import { unlessAborted } from '../../runtime/stop.js'
import { notS3 } from '../errors/s3-error.js'
import type { Page, PageStart } from './list-page.js'

type GetPage = (start: PageStart, signal: AbortSignal | undefined) => Promise<Page>

type Objects = readonly ListedObject[]

/** Each page has a third of a megabyte. */
const rangesAtOnce = 6

/** The keys behind `after`, up to and including `end`. */
interface Range {
  start: PageStart
  after: string
  end: string | undefined
}

/**
 * Lists all objects below a prefix, in S3's order. With `splitAt`, the pages behind the first one are requested in parallel.
 *
 * @throws Error named `NoS3Response` if a page repeats
 */
export async function listObjects(
  prefix: string,
  { first, splitAt, signal }: ListOptions,
  getPage: GetPage,
): Promise<Objects> {
  // If nothing awaits it, Node ends the process for its rejection.
  splitAt?.catch(() => {})
  const page = await getPage(first === undefined ? {} : { 'max-keys': String(first) }, signal)
  // A page out of order need not have the first keys.
  const enough = page.next === undefined || (first !== undefined && page.inOrder)
  if (enough) return whole([page.objects], page.inOrder).slice(0, first)

  const splits = splitAt && page.inOrder ? usable(await orNone(splitAt, signal), prefix, page.last ?? '') : []
  const ranges = splits.length > 0 ? await listRanges(rangesBehind(page, splits), getPage, signal) : undefined
  const rest = ranges ? { pages: ranges, inOrder: true } : await listSerially(page, getPage, signal)
  return whole([page.objects, ...rest.pages], page.inOrder && rest.inOrder).slice(0, first)
}

/** No splits after a failure or an abort. */
function orNone(splitAt: Promise<readonly string[]>, signal: AbortSignal | undefined): Promise<readonly string[]> {
  const splits = signal ? unlessAborted(signal, splitAt) : splitAt
  return splits.catch(() => [])
}

/** No key has half a character, and encodeURIComponent throws on it. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Drops splits outside of the listing behind `after`, and splits that are not in S3's order. */
function usable(splits: readonly string[], prefix: string, after: string): string[] {
  let before = after
  return splits.filter((key) => {
    if (!key.startsWith(prefix) || LONE_SURROGATE.test(key) || compareKeys(key, before) <= 0) return false
    before = key
    return true
  })
}

function rangesBehind({ last = '', next }: Page, splits: readonly string[]): Range[] {
  const first = { start: { 'continuation-token': next }, after: last, end: splits[0] }
  return [first, ...splits.map((key, index) => ({ start: { 'start-after': key }, after: key, end: splits[index + 1] }))]
}

/** The first failure stops all ranges. Undefined if the store ignores StartAfter or has its own order. */
async function listRanges(
  ranges: readonly Range[],
  getPage: GetPage,
  signal: AbortSignal | undefined,
): Promise<Objects[] | undefined> {
  const stop = new AbortController()
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  try {
    const listed: Objects[][] = []
    await eachInParallel(rangesAtOnce, [...ranges.entries()], async ([index, range]) => {
      listed[index] = await listRange(range, getPage, either)
    })
    return listed.flat()
  } catch (error) {
    stop.abort()
    if (error instanceof OutOfOrder) return undefined
    throw error
  }
}

class OutOfOrder extends Error {}

async function listRange({ start, after, end }: Range, getPage: GetPage, signal: AbortSignal): Promise<Objects[]> {
  const pages: Objects[] = []
  let last = after
  for await (const page of pagesFrom(start, getPage, signal)) {
    if (!page.inOrder || (page.first !== undefined && compareKeys(page.first, last) <= 0)) throw new OutOfOrder()
    const isWhole = end === undefined || compareKeys(page.last ?? '', end) <= 0
    pages.push(isWhole ? page.objects : page.objects.filter(({ key }) => compareKeys(key, end) <= 0))
    last = page.last ?? last
    // The next range has the following keys.
    if (end !== undefined && compareKeys(last, end) >= 0) break
  }
  return pages
}

async function listSerially(
  { last = '', next }: Page,
  getPage: GetPage,
  signal: AbortSignal | undefined,
): Promise<{ pages: Objects[]; inOrder: boolean }> {
  const pages: Objects[] = []
  let before = last
  let inOrder = true
  for await (const page of pagesFrom({ 'continuation-token': next }, getPage, signal)) {
    pages.push(page.objects)
    inOrder &&= page.inOrder && (page.first === undefined || compareKeys(before, page.first) < 0)
    before = page.last ?? before
  }
  return { pages, inOrder }
}

async function* pagesFrom(start: PageStart, getPage: GetPage, signal: AbortSignal | undefined): AsyncGenerator<Page> {
  const seen = new Set([start['continuation-token']])
  for (let next: PageStart | undefined = start; next; ) {
    const page: Page = await getPage(next, signal)
    yield page
    if (page.next === undefined) return
    if (seen.has(page.next)) throw notS3('a page of the listing repeats')
    seen.add(page.next)
    next = { 'continuation-token': page.next }
  }
}

/** Not every store lists in S3's order: https://github.com/storj/roadmap/issues/62. */
function whole(pages: readonly Objects[], inOrder: boolean): Objects {
  const objects = pages.flat()
  if (inOrder) return objects
  const byKey = new Map(objects.map((object) => [object.key, object]))
  return [...byKey.values()].sort((one, other) => compareKeys(one.key, other.key))
}

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
  end?: string | undefined
}

/**
 * Lists all objects below a prefix, in S3's order. With `splitAt`, the pages behind the first one are requested in parallel.
 *
 * @throws Error named `NoS3Response` if a page repeats, or the listing does not end
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
  const isEnough = page.next === undefined || (first !== undefined && areInOrder(page.objects))
  const rest = isEnough ? [] : await listRest(prefix, page, splitAt, getPage, signal)
  return sorted([page.objects, ...rest].flat())
    .filter(({ key }) => key.startsWith(prefix))
    .slice(0, first)
}

async function listRest(
  prefix: string,
  { objects, next }: Page,
  splitAt: ListOptions['splitAt'],
  getPage: GetPage,
  signal: AbortSignal | undefined,
): Promise<Objects[]> {
  const after = objects.at(-1)?.key ?? ''
  const start = { 'continuation-token': next }
  const splits = splitAt && areInOrder(objects) ? usable(await orNone(splitAt, signal), prefix, after) : []
  if (splits.length > 0) {
    const behind = splits.map((key, n): Range => ({ start: { 'start-after': key }, after: key, end: splits[n + 1] }))
    const listed = await listRanges([{ start, after, end: splits[0] }, ...behind], getPage, signal)
    if (listed) return listed
  }
  const pages: Objects[] = []
  for await (const page of pagesFrom(start, getPage, signal)) pages.push(page.objects)
  return pages
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
  for await (const { objects } of pagesFrom(start, getPage, signal)) {
    if (!areInOrder([{ key: last }, ...objects])) throw new OutOfOrder()
    last = objects.at(-1)?.key ?? last
    pages.push(end === undefined ? objects : objects.filter(({ key }) => compareKeys(key, end) <= 0))
    // The next range has the following keys.
    if (end !== undefined && compareKeys(last, end) >= 0) break
  }
  return pages
}

/** After many deleted versions in a row, S3 sends a few pages without a key. */
const mostPagesInVain = 100
/** More keys would not fit into memory. */
const mostKeys = 5_000_000

async function* pagesFrom(start: PageStart, getPage: GetPage, signal: AbortSignal | undefined): AsyncGenerator<Page> {
  const tokens = new Set([start['continuation-token']])
  const keys = new Set<string>()
  let inVain = 0
  for (let next: PageStart | undefined = start; next; ) {
    const page: Page = await getPage(next, signal)
    yield page
    if (page.next === undefined) return
    if (tokens.has(page.next)) throw notS3('a page of the listing repeats')
    const before = keys.size
    for (const { key } of page.objects) keys.add(key)
    inVain = keys.size > before ? 0 : inVain + 1
    if (inVain === mostPagesInVain || keys.size > mostKeys) {
      throw notS3(`the listing does not end, after ${keys.size} keys in ${tokens.size} pages`)
    }
    tokens.add(page.next)
    next = { 'continuation-token': page.next }
  }
}

/** Not every store lists in S3's order: https://github.com/storj/roadmap/issues/62. */
function sorted(objects: Objects): Objects {
  if (areInOrder(objects)) return objects
  const byKey = new Map(objects.map((object) => [object.key, object]))
  return [...byKey.values()].sort((one, other) => compareKeys(one.key, other.key))
}

/** Also false if a key occurs twice. */
function areInOrder(objects: readonly { key: string }[]): boolean {
  return objects.every(
    ({ key }, index) => index === 0 || compareKeys((objects[index - 1] as { key: string }).key, key) < 0,
  )
}

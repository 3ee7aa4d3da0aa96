import type { ListedObject, ListOptions } from '../../bucket/bucket.js'
import { compareKeys } from '../../bucket/key-order.js'
import { eachInParallel } from '../../runtime/parallel.js'
import { noListing, type Page, type PageStart } from './list-page.js'

type AskForPage = (start: PageStart, signal: AbortSignal | undefined) => Promise<Page>

type Objects = readonly ListedObject[]

/** How many ranges are listed at a time: each page of an answer is a third of a megabyte. */
const atOnce = 6

/** A part of the listing: what is behind `after`, up to and with `end`, or up to the listing's own end. */
interface Range {
  start: PageStart
  after: string
  end: string | undefined
}

/**
 * Lists all objects below a prefix, in S3's order: page by page, or, where it is known at which keys the pages begin,
 * all behind the first one at a time.
 *
 * @throws Error named `NoS3Answer` where the pages don't get on
 */
export async function listObjects(
  prefix: string,
  { first, splitAt, signal }: ListOptions,
  ask: AskForPage,
): Promise<Objects> {
  // Nobody may come to await it, and Node ends a process for a rejection that is left alone.
  splitAt?.catch(() => {})
  const page = await ask(first === undefined ? {} : { 'max-keys': String(first) }, signal)
  // Out of order, the first page doesn't have the first keys.
  const enough = page.next === undefined || (first !== undefined && page.inOrder)
  if (enough) return whole([page.objects], page.inOrder).slice(0, first)

  const splits = splitAt && page.inOrder ? usable(await orNone(splitAt, signal), prefix, page.last ?? '') : []
  const ranges = splits.length > 0 ? await listRanges(rangesBehind(page, splits), ask, signal) : undefined
  const rest = ranges ? { pages: ranges, inOrder: true } : await listSerially(page, ask, signal)
  return whole([page.objects, ...rest.pages], page.inOrder && rest.inOrder).slice(0, first)
}

/** The splits; none where they can't be had, and when the listing is stopped meanwhile. */
function orNone(splitAt: Promise<readonly string[]>, signal: AbortSignal | undefined): Promise<readonly string[]> {
  return new Promise((resolve) => {
    const without = () => resolve([])
    if (signal?.aborted) without()
    signal?.addEventListener('abort', without, { once: true })
    splitAt.then(resolve, without).finally(() => signal?.removeEventListener('abort', without))
  })
}

/** Half a character, which no object's key has, and on which encodeURIComponent throws. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Those of the splits at which the rest of the listing, behind `after`, can be split. */
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

/**
 * Lists the ranges at the same time; the first failure stops them all. Undefined where the store can't do that: it
 * doesn't know StartAfter, or has an order of its own.
 */
async function listRanges(
  ranges: readonly Range[],
  ask: AskForPage,
  signal: AbortSignal | undefined,
): Promise<Objects[] | undefined> {
  const stop = new AbortController()
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  try {
    const listed: Objects[][] = []
    await eachInParallel(atOnce, [...ranges.keys()], async (i) => {
      listed[i] = await listRange(ranges[i] as Range, ask, either)
    })
    return listed.flat()
  } catch (error) {
    stop.abort()
    if (error instanceof OutOfOrder) return undefined
    throw error
  }
}

class OutOfOrder extends Error {}

async function listRange({ start, after, end }: Range, ask: AskForPage, signal: AbortSignal): Promise<Objects[]> {
  const pages: Objects[] = []
  let last = after
  for await (const page of pagesFrom(start, ask, signal)) {
    if (!page.inOrder || (page.first !== undefined && compareKeys(page.first, last) <= 0)) throw new OutOfOrder()
    const isWhole = end === undefined || compareKeys(page.last ?? '', end) <= 0
    pages.push(isWhole ? page.objects : page.objects.filter(({ key }) => compareKeys(key, end) <= 0))
    last = page.last ?? last
    // With its last key at the end it is complete: what follows is the next range's.
    if (end !== undefined && compareKeys(last, end) >= 0) break
  }
  return pages
}

async function listSerially(
  { last = '', next }: Page,
  ask: AskForPage,
  signal: AbortSignal | undefined,
): Promise<{ pages: Objects[]; inOrder: boolean }> {
  const pages: Objects[] = []
  let before = last
  let inOrder = true
  for await (const page of pagesFrom({ 'continuation-token': next }, ask, signal)) {
    pages.push(page.objects)
    inOrder &&= page.inOrder && (page.first === undefined || compareKeys(before, page.first) < 0)
    before = page.last ?? before
  }
  return { pages, inOrder }
}

/** One page after the other, each asked for when the one before was looked at. */
async function* pagesFrom(start: PageStart, ask: AskForPage, signal: AbortSignal | undefined): AsyncGenerator<Page> {
  const seen = new Set([start['continuation-token']])
  for (let next: PageStart | undefined = start; next; ) {
    const page: Page = await ask(next, signal)
    yield page
    if (page.next === undefined) return
    if (seen.has(page.next)) throw noListing('the pages of the listing do not get on')
    seen.add(page.next)
    next = { 'continuation-token': page.next }
  }
}

/** In S3's order, which not every store lists in: https://github.com/storj/roadmap/issues/62. */
function whole(pages: readonly Objects[], inOrder: boolean): Objects {
  const objects = pages.flat()
  if (inOrder) return objects
  const byKey = new Map(objects.map((object) => [object.key, object]))
  return [...byKey.values()].sort((one, other) => compareKeys(one.key, other.key))
}

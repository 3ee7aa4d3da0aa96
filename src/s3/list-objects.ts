import type { ListedObject, ListOptions } from '../core/bucket.js'
import { compareKeys } from '../core/key-order.js'
import { hex, Joined, number, optional, Packed, plainOf, plainRows, type Rows, row, text } from '../core/packed.js'
import { eachInParallel } from '../core/parallel.js'
import { noListing, type Page, type PageStart } from './list-page.js'

type AskForPage = (start: PageStart, signal: AbortSignal | undefined) => Promise<Page>

/** Puts what a page brought into a form in which it can stay in memory. */
type Keep = (objects: readonly ListedObject[]) => Rows<ListedObject>

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
): Promise<Rows<ListedObject>> {
  // Nobody may come to await it, and Node ends a process for a rejection that is left alone.
  splitAt?.catch(() => {})
  const page = await ask(first === undefined ? {} : { 'max-keys': String(first) }, signal)
  // Out of order, the first page doesn't have the first keys.
  const enough = page.next === undefined || (first !== undefined && page.inOrder)
  if (enough) return upTo(first, whole([page.objects], page.inOrder))

  const splits = splitAt && page.inOrder ? usable(await orNone(splitAt, signal), prefix, page.last ?? '') : []
  const keep = keeper(plainOf(page.objects.length * (splits.length + 1)))
  const begin = keep(page.objects)
  const ranges = splits.length > 0 ? await listRanges(rangesBehind(page, splits), ask, keep, signal) : undefined
  const rest = ranges ? { pages: ranges, inOrder: true } : await listSerially(page, ask, keep, signal)
  return upTo(first, whole([begin, ...rest.pages], page.inOrder && rest.inOrder))
}

/** As they are, while they are few. Of many, each text would keep the whole page in memory that it was a part of. */
function keeper(most: number): Keep {
  let count = 0
  const kind = row<ListedObject>({ key: text, size: number, etag: hex, lastModified: optional(number) })
  return (objects) => {
    count += objects.length
    return count <= most ? objects : new Packed(kind, objects, 0)
  }
}

function upTo(first: number | undefined, objects: Rows<ListedObject>): Rows<ListedObject> {
  return first === undefined || objects.length <= first ? objects : [...objects].slice(0, first)
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
  keep: Keep,
  signal: AbortSignal | undefined,
): Promise<Rows<ListedObject>[] | undefined> {
  const stop = new AbortController()
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  try {
    const listed: Rows<ListedObject>[][] = []
    await eachInParallel(atOnce, [...ranges.keys()], async (i) => {
      listed[i] = await listRange(ranges[i] as Range, ask, keep, either)
    })
    return listed.flat()
  } catch (error) {
    stop.abort()
    if (error instanceof OutOfOrder) return undefined
    throw error
  }
}

class OutOfOrder extends Error {}

async function listRange(
  { start, after, end }: Range,
  ask: AskForPage,
  keep: Keep,
  signal: AbortSignal,
): Promise<Rows<ListedObject>[]> {
  const pages: Rows<ListedObject>[] = []
  let last = after
  for await (const page of pagesFrom(start, ask, signal)) {
    if (!page.inOrder || (page.first !== undefined && compareKeys(page.first, last) <= 0)) throw new OutOfOrder()
    const isWhole = end === undefined || compareKeys(page.last ?? '', end) <= 0
    pages.push(keep(isWhole ? page.objects : page.objects.filter(({ key }) => compareKeys(key, end) <= 0)))
    last = page.last ?? last
    // With its last key at the end it is complete: what follows is the next range's.
    if (end !== undefined && compareKeys(last, end) >= 0) break
  }
  return pages
}

async function listSerially(
  { last = '', next }: Page,
  ask: AskForPage,
  keep: Keep,
  signal: AbortSignal | undefined,
): Promise<{ pages: Rows<ListedObject>[]; inOrder: boolean }> {
  const pages: Rows<ListedObject>[] = []
  let before = last
  let inOrder = true
  for await (const page of pagesFrom({ 'continuation-token': next }, ask, signal)) {
    pages.push(keep(page.objects))
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
function whole(pages: readonly Rows<ListedObject>[], inOrder: boolean): Rows<ListedObject> {
  const all = new Joined(pages)
  const objects = all.length <= plainRows ? [...all] : all
  if (inOrder) return objects
  const byKey = new Map([...objects].map((object) => [object.key, object]))
  return [...byKey.values()].sort((one, other) => compareKeys(one.key, other.key))
}

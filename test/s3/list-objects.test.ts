import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { listObjects } from '../../src/s3/objects/list-objects.js'
import type { Page, PageStart } from '../../src/s3/objects/list-page.js'

function pageOf(keys: readonly string[], next: string | undefined): Page {
  const objects = keys.map((key) => ({ key, size: 1, etag: '', lastModified: 0 }))
  return { objects, next }
}

const keysOf = (objects: Iterable<{ key: string }>) => [...objects].map(({ key }) => key)

describe('a listing', () => {
  it.each<[what: string, pages: string[][]]>([
    ['in order, but not one after the other', [['a', 'd'], ['b', 'c'], ['e']]],
    ['of which one begins with the last key of the one before', [['a', 'b'], ['b', 'c', 'd'], ['e']]],
    ['of which one is empty', [['a', 'c'], [], ['b', 'd', 'e']]],
    ['of which the last begins before all others', [['b', 'c'], ['d', 'e'], ['a']]],
  ])('has all keys in order, each once, of pages %s', async (_what, pages) => {
    const ask = async (start: PageStart) => {
      const index = Number(start['continuation-token'] ?? 0)
      return pageOf(pages[index] ?? [], index < pages.length - 1 ? `${index + 1}` : undefined)
    }
    expect(keysOf(await listObjects('', {}, ask))).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('has only keys below the prefix, from a store that ignores it, also where it is split', async () => {
    const pages = [['a/1', 'b/1'], ['b/2', 'c/1'], ['c/2']]
    const ask = async (start: PageStart) => {
      const behind = pages.findIndex((page) => page[0] === 'b/2')
      const index = start['start-after'] ? behind : Number(start['continuation-token'] ?? 0)
      return pageOf(pages[index] ?? [], index < pages.length - 1 ? `${index + 1}` : undefined)
    }
    for (const splitAt of [undefined, Promise.resolve(['b/1', 'b/11'])]) {
      expect(keysOf(await listObjects('b/', splitAt ? { splitAt } : {}, ask))).toEqual(['b/1', 'b/2'])
    }
  })

  it.each<[what: string, keysOn: (page: number) => string[]]>([
    ['empty pages', () => []],
    ['the same page', () => ['a', 'b']],
    ['two pages by turns', (page) => [`${page % 2}`]],
  ])('that brings %s with ever new tokens ends with an error', async (_what, keysOn) => {
    for (const splitAt of [undefined, Promise.resolve(['k'])]) {
      let pages = 0
      const ask = async () => pageOf(keysOn(pages++), `${pages}`)
      const listing = listObjects('', splitAt ? { splitAt } : {}, ask)
      await expect(listing).rejects.toMatchObject({ name: 'NoS3Response', message: /does not end/ })
      expect(pages).toBeLessThan(400)
    }
  })

  it('goes on behind empty pages, and behind pages in an order of their own', async () => {
    const ask = async ({ 'continuation-token': token = '0' }: PageStart) => {
      const page = Number(token)
      return pageOf(page % 100 === 99 ? [`${1000 - page}`] : [], page < 999 ? `${page + 1}` : undefined)
    }
    expect(await listObjects('', {}, ask)).toHaveLength(10)
  })

  it('of many ranges asks for six at a time, and has all keys in order, whichever comes first', async () => {
    const keys = Array.from({ length: 100 }, (_, n) => `${n}`.padStart(3, '0'))
    let underWay = 0
    let most = 0
    const ask = async (start: PageStart) => {
      most = Math.max(most, ++underWay)
      const behind = start['start-after']
      const from = behind === undefined ? Number(start['continuation-token'] ?? 0) : keys.indexOf(behind) + 1
      await wait((from * 7) % 5)
      underWay--
      return pageOf(keys.slice(from, from + 2), from + 2 < keys.length ? `${from + 2}` : undefined)
    }
    const splitAt = Promise.resolve(keys.filter((_key, n) => n % 2 === 1 && n > 1))
    expect(keysOf(await listObjects('', { splitAt }, ask))).toEqual(keys)
    expect(most).toBe(6)
  })
})

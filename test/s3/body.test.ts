import { describe, expect, it } from 'vitest'
import type { Body } from '../../src/bucket/bucket.js'
import { withBody } from '../../src/s3/objects/body.js'

/** Pieces of 10 bytes, and what became of them. */
function pieces(count: number) {
  const seen = { asked: 0, ended: false }
  async function* read() {
    try {
      while (seen.asked < count) yield Buffer.alloc(10, seen.asked++)
    } finally {
      seen.ended = true
    }
  }
  const open = async () => ({ [Symbol.asyncIterator]: read, destroy() {} })
  return { seen, body: (size: number): Body => ({ size, sha256: '', open }) }
}

describe('a body of pieces', () => {
  it('is asked for one when the one before has left, and its last byte leaves when it is known to be the last', async () => {
    const { seen, body } = pieces(3)
    const lengths: number[] = []
    await withBody(body(30), async (content) => {
      for await (const { length } of content as AsyncIterable<Buffer>) {
        lengths.push(length)
        expect(seen).toEqual({ asked: Math.min(lengths.length, 3), ended: lengths.length === 4 })
      }
    })
    expect(lengths).toEqual([10, 10, 9, 1])
  })

  it.each<[what: string, size: number]>([
    ['fewer', 31],
    ['more', 29],
    ['more, as it turns out at the end', 20],
  ])('that has %s bytes than it says breaks before it is whole', async (_what, size) => {
    let sent = 0
    const sending = withBody(pieces(3).body(size), async (content) => {
      for await (const { length } of content as AsyncIterable<Buffer>) sent += length
    })
    await expect(sending).rejects.toMatchObject({ name: 'BodyChanged' })
    expect(sent).toBeLessThan(size)
  })

  it('is read no further than it is sent', async () => {
    const { seen, body } = pieces(3)
    await withBody(body(30), async (content) => {
      for await (const _piece of content as AsyncIterable<Buffer>) break
    })
    expect(seen).toEqual({ asked: 1, ended: true })
  })

  it.each<[what: string, open: Body['open']]>([
    ['at once', async () => Promise.reject(fileError())],
    [
      'on the way',
      async () => ({
        async *[Symbol.asyncIterator]() {
          yield Buffer.alloc(1)
          throw fileError()
        },
        destroy() {},
      }),
    ],
  ])('that cannot be read, %s, is told apart from a broken connection', async (_what, open) => {
    const sending = withBody({ size: 30, sha256: '', open }, async (content) => {
      for await (const _piece of content as AsyncIterable<Buffer>);
    })
    await expect(sending).rejects.toMatchObject({ name: 'BodyUnreadable', errnoCode: 'EIO' })
  })
  const fileError = () => Object.assign(new Error('i/o error'), { code: 'EIO' })
})

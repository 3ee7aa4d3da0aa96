import { once } from 'node:events'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Body } from '../src/core/bucket.js'
import { withBody } from '../src/s3/body.js'

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
  return { seen, body: (size: number): Body => ({ size, open }) }
}

/** A request, whose pieces leave when they are told to. */
function slowRequest() {
  const waiting: { length: number; leave: () => void }[] = []
  const request = new Writable({
    write: ({ length }: Buffer, _encoding, leave) => void waiting.push({ length, leave }),
  })
  return { request, waiting }
}

const turn = () => new Promise((done) => setImmediate(done))

describe('a body of pieces', () => {
  it('is asked for one when the one before has left, and its last byte leaves when it is known to be the last', async () => {
    const { seen, body } = pieces(3)
    const { request, waiting } = slowRequest()
    const lengths: number[] = []
    await withBody(body(30), undefined, async (content) => {
      if (content instanceof Uint8Array) throw new Error('no pieces')
      const finished = once(content.pipe(request), 'finish')
      for (const asked of [1, 2, 3, 3]) {
        await turn()
        expect(seen).toEqual({ asked, ended: lengths.length === 3 })
        expect(waiting).toHaveLength(1)
        const [{ length, leave } = { length: 0, leave() {} }] = waiting.splice(0)
        lengths.push(length)
        leave()
      }
      await finished
    })
    expect(lengths).toEqual([10, 10, 9, 1])
  })

  it.each<[what: string, size: number]>([
    ['fewer', 31],
    ['more', 29],
    ['more, as it turns out at the end', 20],
  ])('that has %s bytes than it says cuts the request before it is whole', async (_what, size) => {
    let sent = 0
    const request = new Writable({
      write({ length }: Buffer, _encoding, done) {
        sent += length
        done()
      },
    })
    const sending = withBody(pieces(3).body(size), undefined, async (content, cut) => {
      if (content instanceof Uint8Array) throw new Error('no pieces')
      content.pipe(request)
      await once(cut as AbortSignal, 'abort')
      throw new Error('cut')
    })
    await expect(sending).rejects.toMatchObject({ name: 'BodyChanged' })
    expect(sent).toBeLessThan(size)
    expect(request.writableEnded).toBe(false)
  })

  it('is read no further when the request closes while a piece waits', async () => {
    const { seen, body } = pieces(3)
    const { request, waiting } = slowRequest()
    await withBody(body(30), undefined, async (content) => {
      if (content instanceof Uint8Array) throw new Error('no pieces')
      content.pipe(request)
      await turn()
      expect(waiting).toHaveLength(1)
      // Nobody says what became of the piece.
      request.destroy()
      await once(request, 'close')
      await turn()
      expect(seen).toEqual({ asked: 1, ended: true })
    })
  })
})

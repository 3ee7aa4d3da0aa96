import { performance } from 'node:perf_hooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createConcurrency } from '../../../src/s3/http/concurrency.js'

afterEach(() => {
  vi.restoreAllMocks()
})

/** An answer that a request waits for. */
interface Answer {
  at: number
  give: () => void
}

/** Gives the answers in the order of their times, until no request waits for one. */
async function giveAll(answers: Answer[], onTime: (at: number) => void): Promise<void> {
  const turns = async () => {
    for (let i = 0; i < 20; i++) await null
  }
  for (await turns(); answers.length > 0; await turns()) {
    answers.sort((a, b) => a.at - b.at)
    const [next] = answers.splice(0, 1) as [Answer]
    onTime(next.at)
    next.give()
  }
}

describe('createConcurrency', () => {
  it('runs so many at a time, in order, and goes on after a failure', async () => {
    const concurrency = createConcurrency(3)
    let running = 0
    let most = 0
    const begun: number[] = []
    const work = Array.from({ length: 20 }, (_, n) =>
      concurrency.run(async () => {
        begun.push(n)
        most = Math.max(most, ++running)
        await new Promise((done) => setTimeout(done, 1))
        running--
        if (n % 4 === 0) throw new Error('failed')
      }),
    )
    const results = await Promise.allSettled(work)
    expect(most).toBe(3)
    expect(begun).toEqual(Array.from({ length: 20 }, (_, n) => n))
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(5)
  })

  /** A store whose answers take as long as `milliseconds` says of the requests that are under way, by a clock that is set. */
  async function deploy(
    most: number,
    requests: number,
    milliseconds: (underWay: number) => number,
    { refused = Infinity, utilization = (_now: number): number => 0.5, onLevel = (_level: number) => {} } = {},
  ) {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    vi.spyOn(performance, 'eventLoopUtilization').mockImplementation(() => ({
      ...{ utilization: utilization(now), active: 0, idle: 0 },
    }))
    const refusal = new Error('SlowDown')
    const concurrency = createConcurrency(most, (error) => error === refusal)
    const answers: Answer[] = []
    const levels: number[] = []
    const all = Promise.allSettled(
      Array.from({ length: requests }, () =>
        concurrency.run(async () => {
          levels.push(concurrency.limit())
          onLevel(concurrency.limit())
          const underWay = answers.length + 1
          await new Promise<void>((give) => answers.push({ at: now + milliseconds(underWay), give }))
          if (underWay > refused) throw refusal
        }),
      ),
    )
    await giveAll(answers, (at) => {
      now = Math.max(now, at)
    })
    await all
    return { levels, last: levels.at(-1) as number, most: Math.max(...levels) }
  }

  it('lets more go while answers take no longer by it', async () => {
    const { levels, most } = await deploy(192, 3000, () => 20)
    expect(levels[0]).toBe(64)
    expect(most).toBe(192)
    // Soon enough for it to count.
    expect(levels.indexOf(192)).toBeLessThan(600)
  })

  it('stays where more at once would take longer', async () => {
    // A full line: each one more makes all of them slower.
    const { levels } = await deploy(192, 3000, (underWay) => underWay)
    expect(levels.filter((level) => level > 64 * 1.7).length / levels.length).toBeLessThan(0.15)
  })

  it('stays where the thread has no time for more', async () => {
    const { most } = await deploy(192, 3000, () => 20, { utilization: () => 1 })
    expect(most).toBe(64)
  })

  it('goes back when the thread has no time any more, and not below what it began with', async () => {
    const { levels, last } = await deploy(192, 6000, () => 20, { utilization: (now) => (now < 200 ? 0.5 : 1) })
    expect(Math.max(...levels)).toBe(192)
    expect(last).toBe(64)
    expect(Math.min(...levels)).toBe(64)
  })

  it('finds the level at which the thread is just busy', async () => {
    // Each request takes the thread 0.2 ms, and 20 ms on the way: 95 at a time fill 0.95 of it.
    let levelNow = 0
    const { levels } = await deploy(192, 20_000, () => 20, {
      utilization: () => Math.min(1, levelNow / 100),
      onLevel: (level) => {
        levelNow = level
      },
    })
    const later = levels.slice(2000)
    expect(Math.min(...later)).toBeGreaterThanOrEqual(80)
    expect(Math.max(...later)).toBeLessThanOrEqual(110)
  })

  it('stays above half of what a store refuses, and below it for the most part', async () => {
    const { levels } = await deploy(192, 6000, () => 20, { refused: 100 })
    const later = levels.slice(1000)
    expect(Math.min(...levels)).toBeGreaterThanOrEqual(32)
    expect(later.filter((level) => level > 100).length / later.length).toBeLessThan(0.3)
    expect(later.reduce((sum, level) => sum + level, 0) / later.length).toBeGreaterThan(50)
  })

  it('never lets less than one go', async () => {
    const { last } = await deploy(192, 400, () => 20, { refused: 0 })
    expect(last).toBe(1)
  })
})

describe('bodies on a line', () => {
  const kB = 1000
  const MB = 1000 * kB

  /**
   * Sends bodies over a line that carries so many bytes a second, one after the other, and answers `roundTrip` milliseconds later.
   *
   * @returns the milliseconds that all took, and the longest that a request beside them would have waited
   */
  async function send(bodies: readonly number[], bytesPerSecond: number, roundTrip = 50) {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({ utilization: 0.5, active: 0, idle: 0 })
    const concurrency = createConcurrency(192)
    const answers: Answer[] = []
    let lineFree = 0
    let longestWait = 0
    const all = Promise.all(
      bodies.map((bytes) =>
        concurrency.run(async () => {
          lineFree = Math.max(now, lineFree) + (bytes / bytesPerSecond) * 1000
          longestWait = Math.max(longestWait, lineFree - now)
          await new Promise<void>((give) => answers.push({ at: lineFree + roundTrip, give }))
        }, bytes),
      ),
    )
    await giveAll(answers, (at) => {
      now = Math.max(now, at)
    })
    await all
    return { took: now, longestWait }
  }

  const many = (count: number, bytes: number): number[] => Array.from({ length: count }, () => bytes)

  describe.each([256, 400, 1000, 100_000])('that carries %i kbit/s', (kilobits) => {
    const bytesPerSecond = kilobits * 125

    it.each([
      ['files of 2 kB', many(1000, 2 * kB)],
      ['files of 40 kB', many(200, 40 * kB)],
      ['files of many sizes', Array.from({ length: 300 }, (_, i) => Math.round(500 * 1.03 ** (i % 200)))],
    ])('fill it with %s, and leave a renewal its turn', async (_title, bodies) => {
      const { took, longestWait } = await send(bodies, bytesPerSecond)
      expect(longestWait).toBeLessThan(8000)
      const bytes = bodies.reduce((sum, each) => sum + each, 0)
      expect(took).toBeLessThan((bytes / bytesPerSecond) * 1050 + 300)
    })
  })

  it('larger than it carries in seconds go up one at a time', async () => {
    const { longestWait, took } = await send(many(4, 16 * MB), 50 * kB)
    expect(longestWait).toBe(320_000)
    expect(took).toBe(4 * 320_050)
  })

  it('lose little time while its rate is unknown', async () => {
    const fast = 125 * MB
    expect((await send(many(3000, 2 * kB), fast, 20)).took).toBeLessThan(20 * (3000 / 192 + 3) + 50)
    expect((await send(many(200, 40 * kB), fast, 60)).took).toBeLessThan(60 * 6 + 70)
    expect((await send(many(40, 25 * MB), fast, 60)).took).toBeLessThan(8000 + 250)
  })

  it('that have failed say nothing of its rate', async () => {
    vi.spyOn(performance, 'now').mockImplementation(() => 1000)
    const concurrency = createConcurrency(192)
    const failed = many(100, 100 * kB).map((bytes) => concurrency.run(() => Promise.reject(new Error('cut')), bytes))
    await Promise.allSettled(failed)
    let begun = 0
    for (const bytes of many(10, 100 * kB)) concurrency.run(() => new Promise(() => begun++), bytes)
    expect(begun).toBe(1)
  })

  it('hold up no request that comes without one and before them', async () => {
    const concurrency = createConcurrency(192)
    let begun = 0
    const never = () => new Promise<void>(() => begun++)
    concurrency.run(never, 100 * MB)
    concurrency.run(never)
    concurrency.run(never, 1)
    concurrency.run(never)
    // First come, first served.
    expect(begun).toBe(2)
  })
})

import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { StoredObject } from '../../fixtures/bucket/memory-bucket.js'
import { type Fails, Random } from '../../fixtures/release/interleaving.js'
import { type Asked, kinds, nothingThere } from '../../fixtures/release/rivals.js'
import { type Deploy, Scene, stragglers, Violation } from '../../fixtures/release/scene.js'
import { anySource, build, changed, contents, type Source, siteOf } from '../../fixtures/release/versions.js'
import type { Group } from '../../src/files/built-file.js'
import type { HashedFile } from '../../src/files/hash.js'

// Whatever the interleaving of deploys, stages, activations, rollbacks, holds and prunes: everything that a page needs is there at every moment,
// each kept release can be activated, nothing goes live during a hold, a prune deletes nothing that anybody needs, and the files that stand at the
// end are all from one release.

vi.mock('node:zlib', async () => (await import('../../fixtures/release/one-turn.js')).zlib)
vi.mock('node:timers/promises', async () => (await import('../../fixtures/release/one-turn.js')).timers)

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    now: Date.UTC(2026, 0, 1),
  })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('in any order', () => {
  interface Weather {
    /** The chance that a deploy dies. */
    death: number
    /** The chance that one of its requests fails. */
    failure: number
    /** The chance, at each step, that nothing gets through for a while, or that all machines are suspended. */
    stall: number
  }
  const calm: Weather = { death: 0, failure: 0, stall: 0 }
  const weathers: [what: string, weather: Weather][] = [
    ['when all goes well', calm],
    ['when deploys die', { ...calm, death: 0.8 }],
    ['when requests fail', { ...calm, failure: 0.8 }],
    ['when the network hangs', { ...calm, stall: 0.02 }],
    ['when all of that happens', { death: 0.4, failure: 0.6, stall: 0.02 }],
  ]
  const only = process.env.SEED
  const seeds =
    only === undefined
      ? Array.from({ length: Number(process.env.SCHEDULES ?? 100) }, (_, seed) => seed)
      : [Number(only)]

  const total = { schedules: 0, requests: 0, refused: 0, unanswered: 0, killed: 0, pages: 0, files: 0, violations: 0 }
  const recorded = { live: 0, staged: 0, activated: 0, held: 0, restorable: 0, prunes: 0, deleted: 0 }
  let deepest = 0

  afterAll(() => {
    const said = Object.fromEntries(Object.entries(total).map(([what, count]) => [what, count.toLocaleString('en')]))
    console.log(
      `schedules: ${said.schedules} run, ${said.requests} requests, ${said.refused} refused, ${said.unanswered} without an answer, ` +
        `${said.killed} deploys killed, ${said.pages} pages checked with ${said.files} files, ` +
        `${recorded.live} releases live, ${recorded.staged} staged, ${recorded.activated} activated, ${recorded.held} holds begun or ended, ` +
        `${recorded.prunes} prunes with ${recorded.deleted} deletions, ` +
        `${said.violations} violations`,
    )
  })

  it.each(weathers)(
    'every page is whole after every request, and the end is one release %s',
    async (_what, weather) => {
      for (const seed of seeds.filter((each) => weathers[each % weathers.length]?.[1] === weather)) {
        vi.clearAllTimers()
        vi.setSystemTime(Date.UTC(2026, 0, 1))
        await play(seed, weather)
      }
    },
    3_600_000,
  )

  it('pages were read down to the pictures of the data of lazy chunks', () => {
    expect(deepest).toBeGreaterThanOrEqual(4)
  })

  it('releases were staged, activated, held and pruned, and each kept one could be activated', () => {
    if (seeds.length === 1) return
    expect(Math.min(...Object.values(recorded))).toBeGreaterThanOrEqual(seeds.length / 10)
  })

  async function play(seed: number, weather: Weather): Promise<void> {
    const random = new Random(seed)
    const scene = new Scene(random, { ahead: random.between(-3_600_000, 3_600_000), grain: random.pick([1, 1000]) })
    scene.lateness = random.pick([0.2, 0.02, 0.005])
    const sources: Source[] = [anySource]
    // What changes is the last one, or, as by a revert, one before.
    const anySite = () => {
      const source = changed(random.pick([...sources, sources.at(-1) as Source]), random)
      sources.push(source)
      scene.network.log.push(`a site: ${JSON.stringify(source)}`)
      return build(source)
    }
    try {
      if (random.chance(0.5)) otherTools(scene)
      // Releases that may have expired when it begins.
      for (let before = random.pick([0, 1, 3]); before > 0; before--) {
        await scene.whole(`before ${before}`, anySite())
        await scene.pass(random.between(0, 10_000))
      }
      for (let round = random.between(1, 3); round > 0; round--) {
        await compete(scene, weather, anySite, `of round ${round}`)
        await scene.pass(stragglers)
        await scene.checkEnd()
        scene.changeMachine(random.between(-3_600_000, 3_600_000))
      }
      await goBack(scene)
      await deployAlone(scene, 'next', anySite())
      const isRefused = await tidy(scene)
      const released = await deployAlone(scene, 'the same again', build(sources.at(-1) as Source))
      // A refused prune asks for a deploy, whose record describes what is there.
      if (!isRefused) expect(released?.release).toBeUndefined()
    } catch (error) {
      if (error instanceof Violation) total.violations++
      const again = `SEED=${seed} npx vitest run test/release/any-order.test.ts`
      throw new Error(`${(error as Error).message}\n\n${again}\n\n${scene.describe()}`)
    } finally {
      total.schedules++
      total.requests += scene.counted.requests
      total.pages += scene.counted.pages
      total.files += scene.counted.files
      for (const [what, count] of Object.entries(scene.releases.counted))
        recorded[what as keyof typeof recorded] += count
      deepest = Math.max(deepest, scene.counted.depth)
    }
  }

  /** What was there before the first deploy: some of it has the bytes of our own files, and stays another tool's. */
  function otherTools({ releases, random }: Scene): void {
    const theirs = ['static/assets/theirs.js', 'static/theirs.txt', 'static-admin/index.txt']
    const beside = ['static/objects/readme', 'static-admin/objects/readme'].map((path) => `.static-s3/${path}`)
    for (const key of [...theirs, ...beside]) releases.foreign(key, { bytes: Buffer.from(key), parameters: {} })
    const ours = build(anySource).filter(({ path }) => /^assets\/|svg$/.test(path))
    for (const { key, sha256, parameters } of ours) {
      if (!random.chance(0.3)) continue
      const bytes = contents.get(sha256) as Buffer
      releases.foreign(key, { bytes, parameters: random.chance(0.5) ? parameters : {} })
    }
  }

  const anyAsked = (random: Random): Asked => ({
    releases: random.pick([1, 1, 1, 2, 3]),
    days: random.pick([0, 0, 0, 0.0005, 0.005]),
    unreferenced: random.chance(0.7),
  })

  /** Any recorded release becomes live alone, and deploys are live again after that. */
  async function goBack(scene: Scene): Promise<void> {
    const back = await scene.whole('back', [], { kind: 'activate', choice: scene.random.next() })
    const lacks = back.problem?.message.includes('has no backup') && scene.releases.withoutBackups.size > 0
    if (!lacks && !isGone(scene, back) && !nothingThere.test(back.problem?.message ?? '')) {
      expect(back.outcome, back.problem?.message).toBe('ended')
      scene.checkSite(back)
    }
    await scene.whole('resume', [], { kind: 'resume' })
    await scene.checkEnd()
  }

  async function deployAlone(scene: Scene, name: string, files: HashedFile[]): Promise<Deploy['released']> {
    const { outcome, released } = await scene.whole(name, files)
    expect(outcome).toBe('ended')
    scene.checkSite(scene.deploys.at(-1) as Deploy)
    await scene.checkEnd()
    return released
  }

  /** A prune alone works, unless a deploy failed and no release has followed it. Resolves to true if it was refused. */
  async function tidy(scene: Scene): Promise<boolean> {
    const isRefused = scene.isUnfinished()
    const { problem } = await scene.whole('tidy', [], { kind: 'prune', asked: anyAsked(scene.random) })
    if (!isRefused) expect(problem?.message).toBeUndefined()
    await scene.checkEnd()
    return problem !== undefined
  }

  /** A prune has deleted a part of the release, which had expired. */
  const isGone = ({ releases }: Scene, { of, problem }: Deploy) =>
    of !== undefined &&
    releases.expired.has(of) &&
    /is not there any more|has lost its backup/.test(problem?.message ?? '')

  /** One, two or three at once, with steps of random lengths in random order. */
  async function compete(scene: Scene, weather: Weather, anySite: () => HashedFile[], suffix: string): Promise<void> {
    const { random, network } = scene
    const rivals = new Map<string, { deploy: Deploy; stepsToLive: number }>()
    for (let count = random.between(1, 3); count > 0; count--) {
      const failing = random.chance(weather.failure) ? [random.between(1, 35), random.between(1, 35)] : []
      const failure = random.pick(['refused', 'no answer', 'sent twice'] as const)
      const fails: Fails = (number, what) => {
        // A deploy that may not list or lock goes without a lock, and one that may not read the record sees no hold: both say so.
        const isNeeded = /^list|\.lock$|^get .*\.json\.gz$/.test(what)
        if (!failing.includes(number) || (failure === 'refused' && isNeeded)) return undefined
        if (failure !== 'sent twice') total[failure === 'refused' ? 'refused' : 'unanswered']++
        return failure
      }
      const kind = random.chance(0.3) ? 'deploy' : random.chance(0.3) ? 'prune' : random.pick(kinds)
      const deploy = scene.start(`rival ${count} ${suffix}`, anySite(), {
        kind,
        choice: random.next(),
        asked: anyAsked(random),
        behind: random.between(0, 1000),
        delay: random.pick([0, 0, 1000, 30_000, 60_000]),
        building: random.pick([0, 0, 50, 500, 5000, 40_000, 100_000]),
        concurrency: random.pick([1, 2, 8]),
        fails,
      })
      const stepsToLive = random.chance(weather.death) ? random.between(1, 60) : Number.POSITIVE_INFINITY
      rivals.set(deploy.name, { deploy, stepsToLive })
    }
    const pace = weather === calm ? 20 : random.pick([20, 300, 1000])
    const slow = random.pick([`rival 1 ${suffix}`, `rival 2 ${suffix}`, 'nobody'])
    const underWay = () => scene.deploys.filter(({ outcome }) => outcome === 'under way')
    for (let step = 0; underWay().length > 0; step++) {
      if (step > 10_000) throw new Error('it never ends')
      const { held } = network
      const request = held.length === 0 || random.chance(0.03) ? undefined : random.pick(held)
      if (!request) await scene.pass(random.between(1, 2000))
      else if (request.by === slow && !request.what.endsWith('.lock') && random.chance(0.95)) {
        await scene.pass(random.between(0, pace))
      } else {
        await scene.advance(request)
        const rival = rivals.get(request.by)
        if (rival && --rival.stepsToLive === 0 && rival.deploy.outcome === 'under way') {
          total.killed++
          scene.kill(rival.deploy)
        }
        await scene.pass(random.between(0, pace))
      }
      if (!random.chance(weather.stall)) continue
      if (random.chance(0.5)) await scene.pass(random.between(5000, 40_000))
      else await scene.suspend(random.between(20_000, 60_000))
    }
    if (weather !== calm) return
    const failed = scene.deploys.filter(
      (deploy) => deploy.problem && !isGone(scene, deploy) && !nothingThere.test(deploy.problem.message),
    )
    expect(failed.map(({ name, problem }) => `${name}: ${problem?.message}`)).toEqual([])
  }
})

describe('the reader sees', () => {
  let scene: Scene

  beforeEach(async () => {
    scene = new Scene(new Random(1))
    await scene.whole('first', siteOf(1))
  })

  const keyOf = (pattern: RegExp) => [...scene.bucket.objects.keys()].find((key) => pattern.test(key)) as string

  it.each([
    [
      'the picture of a lazy chunk’s data',
      /start-\w+\.svg$/,
      /app-.*\.js → .*start-.*\.js → .*start-.*\.json → .*\.svg → is not/,
    ],
    ['a style sheet’s picture', /tile-/, /style-.*\.css → .*tile-/],
    ['a picture without fingerprint', /logo\.svg$/, /index\.html → .*logo\.svg → is not/],
  ])('that %s is missing, or has other bytes', (_what, pattern, way) => {
    const key = keyOf(pattern)
    const there = scene.bucket.objects.get(key) as StoredObject
    scene.bucket.objects.delete(key)
    expect(() => scene.readAll()).toThrow(way)
    scene.bucket.objects.set(key, { ...there, bytes: Buffer.from('other') })
    expect(() => scene.readAll()).toThrow(way)
    scene.bucket.objects.set(key, there)
    scene.readAll()
  })

  // Nothing but the group says when a file is uploaded.
  it.each<[what: string, groups: Partial<Record<Group, Group>>, said: RegExp]>([
    ['scripts', { manifest: 'asset', html: 'manifest', fingerprinted: 'html' }, /assets\/.* → is not there/],
    [
      'pictures without fingerprint',
      { manifest: 'asset', html: 'manifest', asset: 'html' },
      /logo\.svg → is not what it was when/,
    ],
    ['manifests', { html: 'asset', manifest: 'html' }, /manifest\.json → is not/],
  ])('that a deploy uploads its pages before its %s', async (_what, others, said) => {
    const files = build({ ...anySource, logo: 3, library: 2 }).map((file) => ({
      ...file,
      group: others[file.group] ?? file.group,
    }))
    await expect(scene.whole('backwards', files)).rejects.toThrow(said)
  })
})

import { createHash } from 'node:crypto'
import type { InputType, ZlibOptions } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { deployEnv } from '../fixtures/build/environment.js'
import { buildVite, copyApp, readTree } from '../fixtures/build/index.js'
import { siteObjects } from '../fixtures/build/site.js'
import {
  type Client,
  type Fails,
  type Failure,
  type HeldRequest,
  Interleaving,
  Random,
  turn,
} from '../fixtures/interleaving.js'
import { type MemoryBucket, memoryBucket } from '../fixtures/memory-bucket.js'
import { type EmbeddedS3, startEmbedded } from '../fixtures/s3/index.js'
import type { ObjectParameters } from '../src/core/bucket.js'
import type { DigestedFile } from '../src/core/digest.js'
import type { Group } from '../src/core/groups.js'
import { headersOf } from '../src/core/headers.js'
import { decodeRelease, type ReleaseRecord } from '../src/core/record.js'
import { type Released, release } from '../src/core/release.js'
import { readFolder, releasesFolder } from '../src/core/releases-folder.js'
import type { Settings } from '../src/core/settings.js'
import { takeSurvey } from '../src/core/survey.js'

// Whatever the interleaving, the HTML that stands at the end is all from one release, and everything that it needs is there.

// What a deploy does between its requests happens in one turn of the loop here: a seed always means the same schedule.
vi.mock('node:zlib', async (original) => {
  const zlib = await original<typeof import('node:zlib')>()
  type Done = (error: null, bytes: Buffer) => void
  return {
    ...zlib,
    gzip: (bytes: InputType, options: ZlibOptions, done: Done) => done(null, zlib.gzipSync(bytes, options)),
    gunzip: (bytes: InputType, options: ZlibOptions, done: Done) => done(null, zlib.gunzipSync(bytes, options)),
  }
})
vi.mock('node:timers/promises', async (original) => ({
  ...(await original<typeof import('node:timers/promises')>()),
  setTimeout: sleep,
}))

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}

const hash = (algorithm: string, content: string | Buffer) => createHash(algorithm).update(content).digest('hex')

const location = 'static'
const folder = releasesFolder(location)

/** What a page of these sites says. */
interface Page {
  version: string
  /** Keys of fingerprinted files. */
  scripts: string[]
  logo: string
}

/** By MD5. */
const contents = new Map<string, Buffer>()

function fileOf(path: string, group: Group, content: string, parameters: ObjectParameters): DigestedFile {
  const bytes = Buffer.from(content)
  const md5 = hash('md5', bytes)
  contents.set(md5, bytes)
  return {
    path,
    file: `/nowhere/${path}`,
    emitted: true,
    fingerprinted: group === 'fingerprinted',
    key: `${location}/${path}`,
    group,
    parameters,
    size: bytes.length,
    md5,
    sha256: hash('sha256', bytes),
  }
}

/** Versions have a library, a logo or nothing but old names in common. `cacheControl` is that of names without fingerprint. */
function siteOf(version: number, cacheControl = 'no-cache'): DigestedFile[] {
  const name = `version ${version}`
  const scripts = [`app of ${name}`, `library ${version % 2}`].map((content) => {
    const path = `assets/${content.split(' ')[0]}-${hash('md5', content).slice(0, 8)}.js`
    return fileOf(path, 'fingerprinted', content, { CacheControl: 'immutable' })
  })
  const other = { CacheControl: cacheControl }
  const logo = `logo ${version % 3}`
  const page: Page = { version: name, scripts: scripts.map(({ key }) => key), logo }
  const pages = ['index', 'about', 'news', 'shop'].slice(0, 2 + (version % 3))
  return [
    ...pages.map((path) => fileOf(`${path}.html`, 'html', JSON.stringify(page), other)),
    fileOf('logo.svg', 'asset', logo, other),
    fileOf('data.json', 'asset', name, other),
    fileOf('manifest.json', 'manifest', name, other),
    ...scripts,
  ]
}

interface Deploy {
  name: string
  files: DigestedFile[]
  client: Client
  outcome: 'under way' | 'ended' | 'failed' | 'died'
  problem?: Error
  released?: Released
}

interface DeployOptions {
  /** Milliseconds after which it begins, and which then lie between the survey and the upload. */
  delay?: number
  building?: number
  concurrency?: number
  fails?: Fails
}

/**
 * Milliseconds for which a request may be on its way when nobody waits for it any more. A lock's holder stops five seconds before others
 * begin: no store can promise anything to those whose requests take longer.
 */
const stragglers = 4000

/** One bucket and deploys to it, whose requests go through one by one. */
class Scene {
  readonly bucket: MemoryBucket
  readonly network: Interleaving
  readonly deploys: Deploy[] = []
  /** Who took which lock first. */
  readonly #holders = new Map<number, string>()
  readonly #checked = new Set<HeldRequest>()
  /** The chance of a straggler, each second, to arrive. */
  lateness = 0

  /**
   * @param ahead milliseconds by which the store's clock is ahead of ours
   * @param grain milliseconds that it counts in: most stores tell whole seconds
   */
  constructor(
    readonly random: Random,
    { ahead = 0, grain = 1 } = {},
  ) {
    this.bucket = memoryBucket({ now: () => Math.floor((Date.now() + ahead) / grain) * grain })
    this.network = new Interleaving(this.bucket, random, (body) => {
      return { ...body, open: async () => contents.get(body.md5) ?? body.open() }
    })
  }

  start(name: string, files: DigestedFile[], options: DeployOptions = {}): Deploy {
    const client = this.network.connect(name, options.fails)
    const deploy: Deploy = { name, files, client, outcome: 'under way' }
    this.deploys.push(deploy)
    run(deploy, options).then(
      (released) => {
        Object.assign(deploy, { outcome: 'ended', released })
        this.network.log.push(`${name} has ended`)
      },
      (problem: Error) => {
        Object.assign(deploy, { outcome: 'failed', problem })
        this.network.log.push(`${name} has failed: ${problem.message}`)
      },
    )
    return deploy
  }

  kill(deploy: Deploy): void {
    deploy.client.die()
    deploy.outcome = 'died'
  }

  /** Lets requests through and time pass until then. Those that are held back stay where they are. */
  async until(isOver: () => boolean, isHeldBack: (request: HeldRequest) => boolean = () => false): Promise<void> {
    for (let step = 0; !isOver(); step++) {
      if (step > 5000) throw new Error('it never comes to that')
      await turn()
      const [next] = this.network.held.filter((request) => !isHeldBack(request))
      if (next) await this.advance(next)
      else await this.pass(100)
    }
  }

  /** A deploy alone, from its beginning to its end. */
  async whole(name: string, files: DigestedFile[], options?: DeployOptions): Promise<Deploy> {
    const deploy = this.start(name, files, options)
    await this.until(() => deploy.outcome !== 'under way')
    return deploy
  }

  async advance(request: HeldRequest): Promise<void> {
    await this.network.advance(request)
    if (request.carriedOut && !this.#checked.has(request)) this.#check(request)
  }

  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 1000) {
      vi.advanceTimersByTime(Math.min(left, 1000))
      await turn()
      for (const request of this.network.held) {
        if (request.cutAt !== undefined && this.random.chance(this.lateness)) await this.advance(request)
      }
      this.network.forget(Date.now() - stragglers)
    }
  }

  /**
   * After every write: what visitors see was changed by nobody but the last one to take a lock; a page came after what it needs; and the
   * fingerprinted files that pages refer to are there.
   */
  #check(request: HeldRequest): void {
    this.#checked.add(request)
    const [verb, key = ''] = request.what.split(' ')
    if (verb === 'list' || verb === 'get') return
    const taken = /(\d+)\.lock$/.exec(key)
    if (taken && verb === 'put') {
      const release = 99_999_999 - Number(taken[1])
      const holder = this.#contentOf(key)
      if (holder?.includes(`"${request.by}"`) && !this.#holders.has(release)) this.#holders.set(release, request.by)
    }
    if (!key.startsWith(`${location}/`)) return
    const last = Math.max(0, ...this.#holders.keys())
    if (!key.includes('/assets/') && this.#holders.get(last) !== request.by) {
      throw new Error(
        `${request.by} has written ${key}, and ${this.#holders.get(last)} has the lock of release ${last}`,
      )
    }
    const written = this.pages().get(key)
    if (written && written.logo !== this.#contentOf(`${location}/logo.svg`)) {
      throw new Error(`${key} of ${written.version} came before its ${written.logo}`)
    }
    for (const [page, { version, scripts }] of this.pages()) {
      const missing = scripts.find((script) => !script.includes(hash('md5', this.#contentOf(script) ?? '').slice(0, 8)))
      if (missing) throw new Error(`${page} of ${version} refers to ${missing}, which isn't there as it should be`)
    }
  }

  #contentOf(key: string): string | undefined {
    return this.bucket.objects.get(key)?.bytes.toString()
  }

  pages(): Map<string, Page> {
    const pages = [...this.bucket.objects.keys()].filter((key) => key.endsWith('.html'))
    return new Map(pages.map((key) => [key, JSON.parse(this.#contentOf(key) as string)]))
  }

  /** The newest release's record, if nobody took a lock after it: then it is to be true. */
  async standing(): Promise<ReleaseRecord | undefined> {
    const { records, locks } = readFolder(folder, await this.bucket.list(folder))
    const [newest] = records
    if (!newest || (locks[0]?.release ?? 0) > newest.release) return undefined
    return decodeRelease(location, this.bucket.objects.get(newest.key)?.bytes as Buffer)
  }

  /** When nobody is at work any more. */
  async checkEnd(): Promise<void> {
    const record = await this.standing()
    if (!record) return
    this.checkSite(this.deploys.find(({ name }) => name === record.id) as Deploy)
    for (const [path, { sha256, size, etag, headers }] of record.objects) {
      const { bytes = Buffer.alloc(0), parameters = {} } = this.bucket.objects.get(`${location}/${path}`) ?? {}
      expect({ path, sha256, size, etag, headers }, `in the record of release ${record.release}`).toEqual({
        path,
        sha256: hash('sha256', bytes),
        size: bytes.length,
        etag: hash('md5', bytes),
        headers: headersOf(parameters),
      })
    }
  }

  /** Every file of the deploy is there as it should be. */
  checkSite({ name, files }: Deploy): void {
    for (const { key, md5, parameters } of files) {
      const there = this.bucket.objects.get(key)
      const right = `${key}: ${headersOf(parameters)} ${contents.get(md5)}`
      expect(`${key}: ${headersOf(there?.parameters ?? {})} ${there?.bytes}`, `when ${name} has ended`).toBe(right)
    }
  }

  describe(): string {
    const said = ({ name, files, outcome }: Deploy) =>
      `${name}: ${contents.get(files.find(({ path }) => path === 'data.json')?.md5 ?? '')}, ${files[0]?.parameters.CacheControl}: ${outcome}`
    return [...this.deploys.map(said), ...this.network.log].join('\n')
  }
}

async function run({ name, files, client: { bucket } }: Deploy, options: DeployOptions): Promise<Released> {
  const { delay = 0, building = 0, concurrency = 2 } = options
  await sleep(delay)
  const survey = await takeSurvey(bucket, location)
  await sleep(building)
  const settings = { location, concurrency, lockTimeout: 600, objectParameters: {}, force: false, fileOverwrite: true }
  return release({
    files,
    survey,
    bucket,
    author: async () => ({ id: name, by: name, commit: undefined, bundler: 'none' }),
    settings: settings as unknown as Settings,
    warn: () => {},
    onProgress: () => {},
    onWait: () => {},
  })
}

const isOf =
  ({ name }: Deploy, what = '') =>
  (request: HeldRequest) =>
    request.by === name && request.what.includes(what)

describe('in a bucket whose requests are let through one by one', () => {
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
      /** The chance, at each step, that nothing gets through for a while. */
      stall: number
    }
    const calm: Weather = { death: 0, failure: 0, stall: 0 }
    const weathers: [what: string, weather: Weather][] = [
      ['when all goes well', calm],
      ['when deploys die', { ...calm, death: 0.6 }],
      ['when requests fail', { ...calm, failure: 0.6 }],
      ['when the network hangs', { ...calm, stall: 0.02 }],
      ['when all of that happens', { death: 0.3, failure: 0.3, stall: 0.02 }],
    ]
    const only = process.env.SEED
    const seeds =
      only === undefined
        ? Array.from({ length: Number(process.env.SCHEDULES ?? 300) }, (_, seed) => seed)
        : [Number(only)]

    it.each(weathers)(
      'the end is one release %s',
      async (_what, weather) => {
        for (const seed of seeds.filter((each) => weathers[each % weathers.length]?.[1] === weather)) {
          vi.clearAllTimers()
          vi.setSystemTime(Date.UTC(2026, 0, 1))
          await play(seed, weather)
        }
      },
      600_000,
    )

    async function play(seed: number, weather: Weather): Promise<void> {
      const random = new Random(seed)
      const scene = new Scene(random, { ahead: random.between(-3_600_000, 3_600_000), grain: random.pick([1, 1000]) })
      scene.lateness = random.pick([0.2, 0.02, 0.005])
      const anySite = () => siteOf(random.between(1, 4), random.pick(['no-cache', 'no-cache', 'max-age=60']))
      try {
        if (random.chance(0.7)) {
          await scene.whole('first', anySite())
          await scene.pass(random.between(0, 10_000))
        }
        await compete(scene, weather, anySite)
        await scene.pass(stragglers)
        await scene.checkEnd()

        for (const name of ['next', 'the same again']) {
          const files = name === 'next' ? anySite() : (scene.deploys.at(-1) as Deploy).files
          const { outcome, released } = await scene.whole(name, files)
          expect(outcome).toBe('ended')
          scene.checkSite(scene.deploys.at(-1) as Deploy)
          await scene.checkEnd()
          if (name !== 'next') expect(released?.release).toBeUndefined()
        }
      } catch (error) {
        const again = `SEED=${seed} npx vitest run test/two-deploys.test.ts`
        throw new Error(`${(error as Error).message}\n\n${again}\n\n${scene.describe()}`)
      }
    }

    /** Two or three at once, with steps of random lengths in random order. */
    async function compete(scene: Scene, weather: Weather, anySite: () => DigestedFile[]): Promise<void> {
      const { random, network } = scene
      const rivals = new Map<string, { deploy: Deploy; stepsToLive: number }>()
      for (let count = random.between(2, 3); count > 0; count--) {
        const failing = random.chance(weather.failure) ? random.between(1, 25) : 0
        const failure = random.pick(['refused', 'no answer'] as const)
        const deploy = scene.start(`rival ${count}`, anySite(), {
          delay: random.pick([0, 0, 1000, 30_000, 60_000]),
          building: random.pick([0, 0, 50, 500, 5000, 40_000, 100_000]),
          concurrency: random.pick([1, 2, 8]),
          // Without a listing nothing begins; and who can't write records goes without a lock, and says so.
          fails: (number, what) => (number === failing && !/^list|begun/.test(what) ? failure : undefined),
        })
        const stepsToLive = random.chance(weather.death) ? random.between(1, 60) : Number.POSITIVE_INFINITY
        rivals.set(deploy.name, { deploy, stepsToLive })
      }
      const pace = weather === calm ? 20 : random.pick([20, 300, 1000])
      const slow = random.pick(['rival 1', 'rival 2', 'nobody'])
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
          if (rival && --rival.stepsToLive === 0 && rival.deploy.outcome === 'under way') scene.kill(rival.deploy)
          await scene.pass(random.between(0, pace))
        }
        if (random.chance(weather.stall)) await scene.pass(random.between(5000, 40_000))
      }
      if (weather === calm) expect(scene.deploys.map(({ outcome }) => outcome)).not.toContain('failed')
    }
  })

  describe('one after the other', () => {
    let scene: Scene

    beforeEach(() => {
      scene = new Scene(new Random(1))
    })
    afterEach(() => vi.clearAllTimers())

    const has = (path: string, what: string) => () => {
      const { bytes, parameters } = scene.bucket.objects.get(`${location}/${path}`) ?? {}
      return `${bytes} ${JSON.stringify(parameters)}`.includes(what)
    }
    const isHeld = (isIt: (request: HeldRequest) => boolean) => () => scene.network.held.some(isIt)

    /** The next deploy begins, and what is held back arrives when that has written a page, if it has not got lost by then. */
    async function overtake(behind: Deploy, isHeldBack: (request: HeldRequest) => boolean): Promise<void> {
      const next = scene.start('next', siteOf(4))
      const begun = Date.now()
      await scene.until(() => has('about.html', 'version 4')() || Date.now() - begun > 120_000, isHeldBack)
      for (const request of scene.network.held.filter(isOf(behind))) await scene.advance(request)
      await scene.until(() => next.outcome !== 'under way')
      scene.checkSite(next)
      await scene.checkEnd()
    }

    it.each<[what: string, index: Failure, about: Failure | undefined]>([
      ['when another one was refused', 'refused', undefined],
      ['when another one got no answer', 'no answer', undefined],
      ['when it got no answer itself, and another one was refused', 'refused', 'no answer'],
      ['when none got an answer', 'no answer', 'no answer'],
    ])('a page on its way %s does not come after a page of the next deploy', async (_what, index, about) => {
      await scene.whole('first', siteOf(1))
      const fails: Fails = (_number, what) =>
        what.endsWith('index.html') ? index : what.endsWith('about.html') ? about : undefined
      const broken = scene.start('broken', siteOf(2), { concurrency: 8, fails })
      await scene.until(isHeld(isOf(broken, 'about.html')), isOf(broken, '.html'))
      const isSlow = ({ what, cutAt }: HeldRequest) => cutAt !== undefined || (!about && what.endsWith('about.html'))
      await overtake(broken, (request) => isOf(broken, '.html')(request) && isSlow(request))
    })

    it('a page on its way when its lock was lost does not come after a page of the next deploy', async () => {
      await scene.whole('first', siteOf(1))
      const cutOff = scene.start('cut off', siteOf(2), { concurrency: 8 })
      await scene.until(isHeld(isOf(cutOff, 'about.html')), isOf(cutOff, '.html'))
      // No renewal gets through until the lock is lost, and then everything but the pages.
      const isLost = () => scene.network.held.some((request) => isOf(cutOff, '.html')(request) && request.cutAt)
      await scene.until(isLost, isOf(cutOff))
      await overtake(cutOff, isOf(cutOff, '.html'))
      expect(cutOff.problem?.message).toContain('could not be renewed')
    })

    it('a deploy whose survey is old does not take over a lock that has been renewed since', async () => {
      await scene.whole('first', siteOf(1))
      const long = scene.start('long', siteOf(2))
      await scene.until(isHeld(isOf(long, '.html')), isOf(long, '.html'))
      const late = scene.start('late', siteOf(4), { building: 60_000 })
      const begun = Date.now()
      await scene.until(() => Date.now() - begun > 120_000, isOf(long, '.html'))
      expect([long.outcome, late.outcome]).toEqual(['under way', 'under way'])
      await scene.until(() => late.outcome === 'ended')
      expect(long.outcome).toBe('ended')
      await scene.checkEnd()
    })

    it.each<[what: string, failure: Failure | undefined]>([
      ['takes long', undefined],
      ['gets no answer', 'no answer'],
    ])(
      'a record that %s does not come after the next deploy has begun, and hides what that did',
      async (_what, failure) => {
        await scene.whole('first', siteOf(1))
        const fails: Fails = (_number, what) => (what.endsWith('99999997.json.gz') ? failure : undefined)
        const slow = scene.start('slow', siteOf(2), { fails })
        const isRecord = isOf(slow, '99999997.json.gz')
        const isHeldBack = (request: HeldRequest) => isRecord(request) && (!failure || request.cutAt !== undefined)
        await scene.until(isHeld(isRecord), isHeldBack)
        const next = scene.start('next', siteOf(2, 'max-age=60'))
        const begun = Date.now()
        await scene.until(() => Date.now() - begun > 120_000 || has('logo.svg', 'max-age=60')(), isHeldBack)
        scene.kill(next)
        await scene.pass(500)
        for (const request of scene.network.held.filter(isRecord)) await scene.advance(request)
        await scene.until(() => slow.outcome !== 'under way')
        await scene.pass(stragglers)
        scene.checkSite(await scene.whole('last', siteOf(2)))
        await scene.checkEnd()
      },
    )

    describe('headers', () => {
      it('that a deploy changed right after a release, and then died, are put right by the next', async () => {
        await scene.whole('first', siteOf(1))
        const dead = scene.start('dead', siteOf(1, 'max-age=60'))
        await scene.until(has('logo.svg', 'max-age=60'))
        scene.kill(dead)
        scene.checkSite(await scene.whole('next', siteOf(1)))
        await scene.checkEnd()
      })

      it('of a release are not taken for those that a deploy began with in the same second, and died', async () => {
        scene = new Scene(new Random(1), { grain: 1000 })
        await scene.whole('first', siteOf(1))
        const dead = scene.start('dead', siteOf(1, 'max-age=60'))
        await scene.until(isHeld(isOf(dead, '.lock')), isOf(dead, '.lock'))
        scene.kill(dead)
        scene.checkSite(await scene.whole('next', siteOf(1, 'max-age=60')))
        await scene.checkEnd()
      })

      it('that a deploy gave after it had waited for a release are put right by who came after that', async () => {
        const ahead = scene.start('ahead', siteOf(3))
        await scene.until(isHeld(isOf(ahead, '.html')), isOf(ahead, '.html'))
        const dead = scene.start('dead', siteOf(4, 'max-age=60'))
        await scene.until(isHeld(isOf(dead, '.lock')), isOf(ahead, '.html'))
        await scene.pass(3000)
        await scene.until(isHeld(isOf(dead, '.html')), isOf(dead, '.html'))
        expect(ahead.outcome).toBe('ended')
        await scene.pass(3000)
        const next = scene.start('next', siteOf(4))
        await scene.until(isHeld(isOf(next, '.lock')), isOf(dead, '.html'))
        await scene.until(has('index.html', 'max-age=60'), isOf(next))
        scene.kill(dead)
        await scene.until(() => next.outcome !== 'under way')
        scene.checkSite(next)
        await scene.checkEnd()
      })

      it.each([2, 3, 5])(
        'of a deploy that died are told from those that %i others began with, who died before they wrote',
        async (count) => {
          const dead = scene.start('dead', siteOf(2, 'max-age=60'))
          await scene.until(isHeld(isOf(dead, '.lock')), isOf(dead, '.lock'))
          for (let i = 0; i < count; i++) {
            const other = scene.start(`other ${i}`, siteOf(2))
            await scene.until(isHeld(isOf(other, '.lock')), ({ what }) => what.endsWith('.lock'))
            scene.kill(other)
            scene.network.forget(Date.now())
          }
          await scene.until(has('index.html', 'max-age=60'))
          scene.kill(dead)
          scene.checkSite(await scene.whole('next', siteOf(2)))
          await scene.checkEnd()
        },
      )

      it('of a name that a deploy found changed only under its lock are put right after its death', async () => {
        await scene.whole('first', siteOf(1))
        const more = fileOf('more.txt', 'asset', 'more', {})
        const dead = scene.start('dead', [...siteOf(1), more], { building: 10_000 })
        const other = scene.start('other', siteOf(1, 'max-age=60'), { building: 10_000 })
        await scene.pass(1)
        await scene.whole('between', siteOf(1, 'max-age=60'))
        await scene.until(isHeld(isOf(other, '.lock')), ({ what }) => what.endsWith('.lock'))
        scene.kill(other)
        expect(has('index.html', 'max-age=60')()).toBe(true)
        await scene.until(has('index.html', 'no-cache'))
        scene.kill(dead)
        scene.checkSite(await scene.whole('next', siteOf(1, 'max-age=60')))
        await scene.checkEnd()
      })
    })

    it('a release on top of one that stopped in the middle is whole', async () => {
      await scene.whole('first', siteOf(1))
      const dead = scene.start('dead', siteOf(2))
      await scene.until(has('index.html', 'version 2'))
      scene.kill(dead)
      expect(new Set([...scene.pages().values()].map(({ version }) => version)).size).toBe(2)
      scene.checkSite(await scene.whole('next', siteOf(1)))
      await scene.checkEnd()
    })
  })
})

describe('two builds at once, each in its own process', () => {
  let s3: EmbeddedS3
  let bucket: string

  beforeAll(async () => {
    s3 = await startEmbedded({ latencyMs: 30 })
    bucket = await s3.createBucket()
  })
  afterAll(() => s3.close())

  /** Two pages that say whose they are, with a chunk, a style and a public file of their own. */
  const version = (name: string) => ({
    'index.html': `<!doctype html><title>${name}</title><script type="module" src="/src/main.ts"></script>`,
    'nested/page.html': `<!doctype html><title>${name}</title><script type="module" src="/src/lazy.ts"></script>`,
    'src/main.ts': `import './style.css'\ndocument.title = import.meta.env.STATIC_URL\nimport('./lazy')`,
    'src/lazy.ts': `import './lazy.css'\ndocument.body.append('${name}')`,
    'src/lazy.css': `body::after { content: '${name}' }`,
    'public/version.txt': name,
  })

  test('what stands at the end is one of them, whole, and both have succeeded', async () => {
    const dirs = await Promise.all([copyApp('vanilla'), copyApp('vanilla')])
    for (const round of ['first', 'second', 'third', 'fourth']) {
      s3.server.reset()
      const builds = await Promise.all(
        dirs.map((dir, index) => {
          return buildVite(dir, { files: version(`${round} of ${index}`), env: deployEnv(s3, bucket) })
        }),
      )
      for (const { code, output } of builds) expect(code, output).toBe(0)
      const sites = await Promise.all(builds.map(({ outDir }) => readTree(outDir)))
      const objects = siteObjects(s3, bucket)
      const there = (path: string) => objects.get(`${location}/${path}`)?.body.toString()
      const winner = sites.findIndex((site) => site.get('index.html')?.toString() === there('index.html'))
      expect(winner, `${there('index.html')}\n${builds.map(({ output }) => output).join('\n')}`).not.toBe(-1)
      for (const [path, bytes] of sites[winner] as Map<string, Buffer>) {
        if (!/(^|\/)\.|\.map$/.test(path)) expect(there(path), `${path}, ${round} round`).toBe(bytes.toString())
      }
      // Both had something that visitors see, and so each of them had the lock.
      const locks = s3.server.requests.filter(({ method, key, status }) => {
        return method === 'PUT' && key?.endsWith('.lock') && status === 200
      })
      expect(new Set(locks.map(({ key }) => key)).size).toBeGreaterThanOrEqual(2)
      const waited = builds.filter(({ output }) => output.includes('waiting for'))
      expect(waited.length).toBeLessThanOrEqual(1)
    }
  })
})

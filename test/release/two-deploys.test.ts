import { createHash } from 'node:crypto'
import type { ZlibOptions } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { type MemoryBucket, memoryBucket, type StoredObject } from '../../fixtures/bucket/memory-bucket.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildVite, copyApp, readTree } from '../../fixtures/build/index.js'
import { siteObjects } from '../../fixtures/build/site.js'
import {
  type Client,
  type Fails,
  type Failure,
  type HeldRequest,
  Interleaving,
  Random,
  turn,
} from '../../fixtures/release/interleaving.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import type { ObjectParameters } from '../../src/bucket/bucket.js'
import { headersOf } from '../../src/bucket/headers.js'
import type { Group } from '../../src/files/built-file.js'
import type { HashedFile } from '../../src/files/hash.js'
import { decodeRecord, type ReleaseRecord } from '../../src/release/record.js'
import { type Released, release } from '../../src/release/release.js'
import { lockKey, readFolder, releasesFolder } from '../../src/release/releases-folder.js'
import { takeSurvey } from '../../src/release/survey.js'
import type { Settings } from '../../src/settings/settings.js'

// Whatever the interleaving, everything that a page needs is there at every moment, and the HTML that stands at the end is all from one
// release.

// What a deploy does between its requests happens in one turn of the loop here: a seed always means the same schedule.
vi.mock('node:zlib', async (original) => {
  const zlib = await original<typeof import('node:zlib')>()
  type Done = (error: null, bytes: Buffer) => void
  return {
    ...zlib,
    gzip: (bytes: string, options: ZlibOptions, done: Done) => done(null, zlib.gzipSync(bytes, options)),
    gunzip: (bytes: Buffer, options: ZlibOptions, done: Done) => done(null, zlib.gunzipSync(bytes, options)),
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

/** By SHA-256. */
const contents = new Map<string, Buffer>()

function fileOf(path: string, group: Group, content: string, parameters: ObjectParameters): HashedFile {
  const bytes = Buffer.from(content)
  const sha256 = hash('sha256', bytes)
  contents.set(sha256, bytes)
  return {
    path,
    dir: '/nowhere',
    key: `${location}/${path}`,
    group,
    parameters,
    size: bytes.length,
    md5: hash('md5', bytes),
    sha256,
    content: bytes,
  }
}

/** A site as its authors have it. A number is a version of that part. */
interface Source {
  /** By path, without `.html`. */
  pages: Record<string, number>
  /** What scripts load when it is needed. */
  routes: Record<string, number>
  library: number
  style: number
  logo: number
  /** Without a fingerprint, and on every page. */
  pictures: Record<string, number>
  /** Of names without fingerprint. */
  cacheControl: string
}

/** As a bundler does it: page → script → chunk → data → picture, and each name says what the whole chain behind it is. */
function build({ pages, routes, library, style, logo, pictures, cacheControl }: Source): HashedFile[] {
  const files = new Map<string, HashedFile>()
  const plain = (path: string, group: Group, content: string) =>
    files.set(path, fileOf(path, group, content, { CacheControl: cacheControl }))
  const hashed = (name: string, content: string): string => {
    const fingerprinted = name.replace('.', `-${hash('md5', content).slice(0, 8)}.`)
    const path = `assets/${fingerprinted}`
    files.set(path, fileOf(path, 'fingerprinted', content, { CacheControl: 'immutable' }))
    return `./${fingerprinted}`
  }
  const svg = (what: string) => `<svg xmlns="http://www.w3.org/2000/svg"><desc>${what}</desc></svg>`
  const at = (path: string) => `/${location}/${path.replace('./', 'assets/')}`

  const shared = hashed('library.js', `export const library = ${library}`)
  const chunks = Object.entries(routes).map(([name, version]) => {
    const picture = hashed(`${name}.svg`, svg(`${name} ${version % 2}`))
    const data = hashed(`${name}.json`, JSON.stringify({ picture, version }))
    return hashed(`${name}.js`, `import '${shared}'\nfetch(new URL('${data}', import.meta.url))`)
  })
  const css = hashed('style.css', `body { background: url(${hashed('tile.svg', svg(`tile ${style}`))}) }`)
  const imports = [`import '${shared}'`, ...chunks.map((chunk) => `import('${chunk}')`)]
  const script = hashed('app.js', [...imports, `new Image().src = '${at('logo.svg')}'`].join('\n'))

  for (const [name, version] of Object.entries(pages)) {
    const images = ['logo', ...Object.keys(pictures)].map((picture) => `<img src="${at(`${picture}.svg`)}">`)
    plain(
      `${name}.html`,
      'html',
      `<!doctype html><title>version ${version}</title><link rel="manifest" href="${at('manifest.json')}">
<link rel="stylesheet" href="${at(css)}"><script type="module" src="${at(script)}"></script>${images.join('')}`,
    )
  }
  for (const [name, version] of [['logo', logo] as const, ...Object.entries(pictures)]) {
    plain(`${name}.svg`, 'asset', svg(`${name} ${version}`))
  }
  const named = Object.keys(pictures).map((name) => `./${name}.svg`)
  plain('settings.json', 'asset', JSON.stringify({ logo: './logo.svg', script: at(script), pictures: named }))
  plain('manifest.json', 'manifest', JSON.stringify({ icon: './logo.svg', settings: './settings.json', logo }))
  // Pages first: nothing here is in the order in which it is to be written.
  return [...files.values()].sort((one, other) => Number(other.group === 'html') - Number(one.group === 'html'))
}

const pageNames = ['index', 'about', 'news', 'shop', 'docs/start']

/** Versions have a library, a logo or nothing but old names in common. */
function siteOf(version: number, cacheControl = 'no-cache'): HashedFile[] {
  const pages = pageNames.slice(0, version === 3 ? 2 : 3)
  return build({
    pages: Object.fromEntries(pages.map((name) => [name, version])),
    routes: { start: version, search: 1 },
    library: version % 2,
    style: 1,
    logo: version % 3,
    pictures: {},
    cacheControl,
  })
}

const anySource: Source = {
  pages: { index: 1, about: 1, news: 1 },
  routes: { start: 1, search: 1 },
  library: 1,
  style: 1,
  logo: 1,
  pictures: { photo: 1 },
  cacheControl: 'no-cache',
}

/** Pages, routes and pictures that come, go and change, now and then back to what they were, and other headers. */
function changed(source: Source, random: Random): Source {
  const some = (parts: Record<string, number>, names: string[]): Record<string, number> => {
    const name = random.pick(names)
    const { [name]: old, ...others } = parts
    const dropped = old !== undefined && Object.keys(others).length > 0 && random.chance(0.3)
    return dropped ? others : { ...others, [name]: random.between(1, 4) }
  }
  const changes: ((from: Source) => Source)[] = [
    (from) => ({ ...from, pages: some(from.pages, pageNames) }),
    (from) => ({ ...from, pages: some(from.pages, pageNames) }),
    (from) => ({ ...from, routes: some(from.routes, ['start', 'search', 'basket']) }),
    (from) => ({ ...from, pictures: some(from.pictures, ['photo', 'map']) }),
    (from) => ({ ...from, library: random.between(1, 3) }),
    (from) => ({ ...from, style: random.between(1, 3) }),
    (from) => ({ ...from, logo: random.between(1, 3) }),
    (from) => ({ ...from, cacheControl: random.pick(['no-cache', 'max-age=60']) }),
  ]
  let next = source
  for (let count = random.between(0, 5); count > 0; count--) next = random.pick(changes)(next)
  return next
}

interface Deploy {
  name: string
  files: HashedFile[]
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

interface Write {
  by: string
  /** How many requests had been carried out by then. */
  at: number
}

/** What must never be seen. */
class Violation extends Error {}

const isFingerprinted = (key: string) => key.startsWith(`${location}/assets/`)

/** One bucket and deploys to it, whose requests go through one by one. */
class Scene {
  readonly bucket: MemoryBucket
  readonly network: Interleaving
  readonly deploys: Deploy[] = []
  /** Who took which lock first. */
  readonly #holders = new Map<number, string>()
  readonly #checked = new Set<HeldRequest>()
  /** Of what stands there, by key. */
  readonly #writes = new Map<string, Write>()
  /** What each deploy was to bring, by key. */
  readonly #built = new Map<string, Map<string, HashedFile>>()
  readonly #references = new WeakMap<Buffer, string[]>()
  readonly counted = { requests: 0, pages: 0, files: 0, depth: 0 }
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
    this.bucket = memoryBucket({ now: () => Date.now() + ahead, grain })
    this.network = new Interleaving(this.bucket, random)
  }

  start(name: string, files: HashedFile[], options: DeployOptions = {}): Deploy {
    const client = this.network.connect(name, options.fails)
    const deploy: Deploy = { name, files, client, outcome: 'under way' }
    this.deploys.push(deploy)
    this.#built.set(name, new Map(files.map((file) => [file.key, file])))
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
  async whole(name: string, files: HashedFile[], options?: DeployOptions): Promise<Deploy> {
    const deploy = this.start(name, files, options)
    await this.until(() => deploy.outcome !== 'under way')
    return deploy
  }

  async advance(request: HeldRequest): Promise<void> {
    const [verb = '', key = ''] = request.what.split(' ')
    const before = this.bucket.objects.get(key)
    await this.network.advance(request)
    if (!request.carriedOut || this.#checked.has(request)) return
    this.#checked.add(request)
    this.counted.requests++
    if (this.bucket.objects.get(key) !== before) this.#writes.set(key, { by: request.by, at: this.counted.requests })
    if (verb === 'put' || verb === 'copy') this.#checkTurn(verb, key, request.by)
    this.readAll()
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

  /** No number was taken by two, and what visitors see was changed by nobody but the last one to take a lock. */
  #checkTurn(verb: string, key: string, by: string): void {
    const taken = /(\d+)\.lock$/.exec(key)
    if (taken && verb === 'put') {
      const release = 99_999_999 - Number(taken[1])
      if (this.#contentOf(key)?.includes(`"${by}"`)) {
        const earlier = this.#holders.get(release) ?? by
        if (earlier !== by) throw new Violation(`${by} has taken the number ${release} after ${earlier}`)
        this.#holders.set(release, by)
      }
    }
    if (!key.startsWith(`${location}/`) || key.includes('/assets/')) return
    const last = Math.max(0, ...this.#holders.keys())
    const holder = this.#holders.get(last)
    if (holder !== by) throw new Violation(`${by} has written ${key}, and ${holder} has the lock of release ${last}`)
  }

  /**
   * Reads every page in the bucket and all that it refers to, deep, as a browser would, by what stands in the files.
   *
   * @throws Violation when something isn't there, or isn't what it was when the page was built. A name without fingerprint may be newer than
   * the page, never older.
   */
  readAll(): void {
    for (const page of this.bucket.objects.keys()) {
      if (!page.endsWith('.html')) continue
      this.counted.pages++
      this.#read(page, page, [], new Set())
    }
  }

  /** @param owner the last file on the way, the page first, whose name has no fingerprint: the deploy that wrote it says what is right */
  #read(key: string, owner: string, way: readonly string[], seen: Set<string>): void {
    const there = this.bucket.objects.get(key)
    const problem = this.#problemOf(key, owner)
    if (!there || problem) throw new Violation([...way, key, problem].join(' → '))
    seen.add(`${owner} ${key}`)
    this.counted.files++
    this.counted.depth = Math.max(this.counted.depth, way.length)
    const from = isFingerprinted(key) ? owner : key
    for (const reference of this.#referencesIn(key, there.bytes)) {
      if (!seen.has(`${from} ${reference}`)) this.#read(reference, from, [...way, key], seen)
    }
  }

  #problemOf(key: string, owner: string): string | undefined {
    const there = this.bucket.objects.get(key)
    if (!there) return 'is not there'
    const own = this.#writes.get(key) as Write
    const theirs = this.#writes.get(owner) as Write
    const isAsBuiltBy = ({ by }: Write) => {
      const file = this.#built.get(by)?.get(key)
      return file !== undefined && contents.get(file.sha256)?.equals(there.bytes)
    }
    if (!isAsBuiltBy(own)) return `is not what ${own.by} built: ${there.bytes}`
    if (isAsBuiltBy(theirs)) return undefined
    if (!isFingerprinted(key)) {
      // Within a group the order is any.
      const [group, before] = [key, owner].map((each) => this.#built.get(theirs.by)?.get(each)?.group)
      if (group === before || own.at > theirs.at) return undefined
    }
    return `is not what it was when ${theirs.by} built ${owner}: ${there.bytes}`
  }

  #referencesIn(key: string, bytes: Buffer): string[] {
    const known = this.#references.get(bytes)
    if (known) return known
    const base = new URL(key, 'https://bucket.example/')
    const found = bytes.toString().matchAll(/["'(](\.{0,2}\/[^"'()\s]+)["')]/g)
    const keys = [...found].map(([, reference]) => new URL(reference as string, base).pathname.slice(1))
    this.#references.set(bytes, keys)
    return keys
  }

  #contentOf(key: string): string | undefined {
    return this.bucket.objects.get(key)?.bytes.toString()
  }

  /** The newest release's record, if nobody took a lock after it: then it is to be true. */
  async standing(): Promise<ReleaseRecord | undefined> {
    const { records, locks } = readFolder(folder, [...(await this.bucket.list(folder))])
    const [newest] = records
    if (!newest || (locks[0]?.release ?? 0) > newest.release) return undefined
    return decodeRecord(location, this.bucket.objects.get(newest.key)?.bytes as Buffer)
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
    for (const { key, sha256, parameters } of files) {
      const there = this.bucket.objects.get(key)
      const right = `${key}: ${headersOf(parameters)} ${contents.get(sha256)}`
      expect(`${key}: ${headersOf(there?.parameters ?? {})} ${there?.bytes}`, `when ${name} has ended`).toBe(right)
    }
  }

  describe(): string {
    return [...this.deploys.map(({ name, outcome }) => `${name}: ${outcome}`), ...this.network.log].join('\n')
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
    deployer: async () => ({ id: name, by: name, commit: undefined, bundler: 'none' }),
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
    let deepest = 0

    afterAll(() => {
      const said = Object.fromEntries(Object.entries(total).map(([what, count]) => [what, count.toLocaleString('en')]))
      console.log(
        `schedules: ${said.schedules} run, ${said.requests} requests, ${said.refused} refused, ${said.unanswered} without an answer, ` +
          `${said.killed} deploys killed, ${said.pages} pages checked with ${said.files} files, ${said.violations} violations`,
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
        if (random.chance(0.7)) {
          await scene.whole('first', anySite())
          await scene.pass(random.between(0, 10_000))
        }
        for (let round = random.between(1, 2); round > 0; round--) {
          await compete(scene, weather, anySite, `of round ${round}`)
          await scene.pass(stragglers)
          await scene.checkEnd()
        }
        for (const name of ['next', 'the same again']) {
          const files = name === 'next' ? anySite() : (scene.deploys.at(-1) as Deploy).files
          const { outcome, released } = await scene.whole(name, files)
          expect(outcome).toBe('ended')
          scene.checkSite(scene.deploys.at(-1) as Deploy)
          await scene.checkEnd()
          if (name !== 'next') expect(released?.release).toBeUndefined()
        }
      } catch (error) {
        if (error instanceof Violation) total.violations++
        const again = `SEED=${seed} npx vitest run test/release/two-deploys.test.ts`
        throw new Error(`${(error as Error).message}\n\n${again}\n\n${scene.describe()}`)
      } finally {
        total.schedules++
        total.requests += scene.counted.requests
        total.pages += scene.counted.pages
        total.files += scene.counted.files
        deepest = Math.max(deepest, scene.counted.depth)
      }
    }

    /** One, two or three at once, with steps of random lengths in random order. */
    async function compete(scene: Scene, weather: Weather, anySite: () => HashedFile[], suffix: string): Promise<void> {
      const { random, network } = scene
      const rivals = new Map<string, { deploy: Deploy; stepsToLive: number }>()
      for (let count = random.between(1, 3); count > 0; count--) {
        const failing = random.chance(weather.failure) ? [random.between(1, 35), random.between(1, 35)] : []
        const failure = random.pick(['refused', 'no answer'] as const)
        const fails: Fails = (number, what) => {
          // A deploy that may not list or lock goes without a lock, and says so.
          if (!failing.includes(number) || (failure === 'refused' && /^list|\.lock$/.test(what))) return undefined
          total[failure === 'refused' ? 'refused' : 'unanswered']++
          return failure
        }
        const deploy = scene.start(`rival ${count} ${suffix}`, anySite(), {
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
        if (random.chance(weather.stall)) await scene.pass(random.between(5000, 40_000))
      }
      if (weather === calm) expect(scene.deploys.map(({ outcome }) => outcome)).not.toContain('failed')
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

    it.each<[what: string, group: Group, from: string, to: string]>([
      ['picture is there before the file without a fingerprint', 'asset', 'menu.json', 'photo.svg'],
      ['page is there before the page', 'html', 'contact.html', 'form.html'],
    ])('a new %s that comes to name it', async (_what, group, from, to) => {
      const page = fileOf('index.html', 'html', `<a href="./${from}">`, {})
      await scene.whole('first', [fileOf(from, group, '<p>', {}), page])
      const second = [page, fileOf(from, group, `<a href="./${to}">`, {}), fileOf(to, group, 'new', {})]
      scene.checkSite(await scene.whole('second', second))
    })

    describe('headers', () => {
      it.each([1, 1000])(
        'that a deploy changed right after a release, and then died, are put right by the next, if the store counts in %i ms',
        async (grain) => {
          scene = new Scene(new Random(1), { grain })
          await scene.whole('first', siteOf(1))
          const dead = scene.start('dead', siteOf(1, 'max-age=60'))
          await scene.until(has('logo.svg', 'max-age=60'))
          scene.kill(dead)
          scene.checkSite(await scene.whole('next', siteOf(1)))
          await scene.checkEnd()
        },
      )

      it('of a release are not taken for those of a deploy that died in the same second', async () => {
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
        'of a deploy that died are told from those of %i others, which died before they wrote',
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

    describe('the lock, while the last fingerprinted file is on its way', () => {
      let first: Deploy

      beforeEach(async () => {
        first = await scene.whole('first', siteOf(1))
      })

      const secondLock = lockKey(folder, 2)
      const isLast = (deploy: Deploy) => isOf(deploy, '/assets/app-')
      const isLock = (deploy: Deploy) => isOf(deploy, `put ${secondLock}`)
      const lastIs =
        (failure: Failure): Fails =>
        (_number, what) =>
          what.includes('/assets/app-') ? failure : undefined
      /** All at once: none waits for its turn. */
      const begin = (name: string, options: DeployOptions = {}) =>
        scene.start(name, siteOf(2), { concurrency: 16, ...options })
      const bytesOf = (key: string) => scene.bucket.objects.get(key)?.bytes

      /** Until nothing but that is left of it. */
      async function heldBack(isHeldBack: (request: HeldRequest) => boolean): Promise<void> {
        await scene.until(isHeld(isHeldBack), isHeldBack)
        await scene.until(() => scene.network.held.every(isHeldBack), isHeldBack)
      }

      /** Carried out, or refused, and answered. */
      async function settle(isIt: (request: HeldRequest) => boolean): Promise<void> {
        for (const request of scene.network.held.filter(isIt)) {
          while (!request.over) await scene.advance(request)
        }
      }

      it.each([
        ['has not arrived', false],
        ['has arrived, and is not answered', true],
      ])('is given up when that is refused, though the lock %s yet', async (_what, arrives) => {
        const broken = begin('broken', { fails: lastIs('refused') })
        const isHeldBack = (request: HeldRequest) => isLast(broken)(request) || isLock(broken)(request)
        await scene.until(isHeld(isLock(broken)), isHeldBack)
        await heldBack(isHeldBack)
        for (const request of arrives ? scene.network.held.filter(isLock(broken)) : []) await scene.advance(request)
        await settle(isLast(broken))
        expect(`${bytesOf(secondLock)}`.includes('"broken"')).toBe(arrives)
        await scene.until(() => broken.outcome !== 'under way')
        expect(broken.problem?.message).toMatch(/app-.*AccessDenied\nThe site stands as it was\./)
        expect(bytesOf(secondLock)).toEqual(Buffer.alloc(0))
        const begun = Date.now()
        scene.checkSite(await scene.whole('next', siteOf(4)))
        // Not when the lock has expired.
        expect(Date.now() - begun).toBeLessThan(5000)
        await scene.checkEnd()
      })

      it('is no longer waited for when that is refused, and the one of who has it stands', async () => {
        const other = scene.start('other', siteOf(4))
        await scene.until(isHeld(isOf(other, '.html')), isOf(other, '.html'))
        const broken = begin('broken', { fails: lastIs('refused') })
        const isHeldBack = (request: HeldRequest) => isOf(other, '.html')(request) || isLast(broken)(request)
        await scene.until(isHeld(isOf(broken, `get ${secondLock}`)), isHeldBack)
        const seen = Date.now()
        await scene.until(() => Date.now() - seen > 3000, isHeldBack)
        const theirs = scene.bucket.objects.get(secondLock)
        expect(`${theirs?.bytes}`).toContain('"other"')
        await settle(isLast(broken))
        const refused = Date.now()
        await scene.until(() => broken.outcome !== 'under way', isHeldBack)
        expect(Date.now() - refused).toBeLessThan(500)
        expect(broken.problem?.message).toMatch(/app-.*AccessDenied\nThe site stands as it was\./)
        expect(scene.bucket.objects.get(secondLock)).toBe(theirs)
        expect(bytesOf(lockKey(folder, 3))).toBeUndefined()
        await scene.until(() => other.outcome !== 'under way')
        expect(other.released?.release).toBe(2)
        scene.checkSite(other)
        await scene.checkEnd()
      })

      it('that gets no answer does not keep that from going up, and is what is said then', async () => {
        const unhandled = vi.fn()
        process.on('unhandledRejection', unhandled)
        try {
          const fails: Fails = (_number, what) => (what.endsWith('.lock') ? 'no answer' : undefined)
          const broken = begin('broken', { fails })
          const isHeldBack = (request: HeldRequest) => isLast(broken)(request) || request.cutAt !== undefined
          await scene.until(() => scene.network.log.some((line) => line.endsWith(secondLock)), isHeldBack)
          await heldBack(isHeldBack)
          await scene.pass(1000)
          expect(broken.outcome).toBe('under way')
          await scene.until(
            () => broken.outcome !== 'under way',
            ({ cutAt }) => cutAt !== undefined,
          )
          expect(broken.problem?.message).toMatch(/99999997\.lock: ECONNRESET\nThe site stands as it was\. \d/)
          for (const { key, group } of broken.files) {
            if (group === 'fingerprinted') expect(bytesOf(key), key).toBeDefined()
          }
          scene.checkSite(first)
          expect(unhandled).not.toHaveBeenCalled()
        } finally {
          process.off('unhandledRejection', unhandled)
        }
      })

      it('that is refused is requested once: the deploy goes on without one', async () => {
        const { name } = begin('alone', { fails: (_number, what) => (what.endsWith('.lock') ? 'refused' : undefined) })
        // A deploy without a lock may write what visitors see, but the scene minds.
        const isSeen = ({ what }: HeldRequest) => /^(put|copy) static\/(?!assets)/.test(what)
        await scene.until(isHeld(isSeen), isSeen)
        const ofLock = scene.network.log.filter((line) => line.startsWith(name) && line.includes('.lock'))
        expect(ofLock).toHaveLength(1)
        expect(scene.network.held.filter((request) => !isSeen(request))).toEqual([])
        expect(bytesOf(secondLock)).toBeUndefined()
      })

      it('that is lost meanwhile ends the deploy before visitors see anything of it, and the next run carries on', async () => {
        const slow = begin('slow')
        await scene.until(isHeld(isLast(slow)), isLast(slow))
        await heldBack(isLast(slow))
        const takenAt = Date.now()
        expect(`${bytesOf(secondLock)}`).toContain('"slow"')
        await scene.until(() => Date.now() - takenAt > 31_000, isOf(slow))
        const other = scene.start('other', siteOf(4))
        await scene.until(() => other.outcome !== 'under way', isOf(slow))
        expect(other.released?.release).toBe(3)
        await scene.until(() => slow.outcome !== 'under way')
        expect(slow.problem?.message).toMatch(
          /could not be renewed for 25 seconds.*\nThe site stands as it was\. \d+ of/s,
        )
        scene.checkSite(other)
        await scene.checkEnd()
        const next = await scene.whole('next', siteOf(2))
        expect(
          next.released?.decisions.filter(({ file, action }) => file.group === 'fingerprinted' && action === 'upload'),
        ).toEqual([])
        scene.checkSite(next)
        await scene.checkEnd()
      })
    })

    describe('numbers and their holders', () => {
      const lockOf = (release: number) => lockKey(folder, release)
      const bytesOf = (release: number) => scene.bucket.objects.get(lockOf(release))?.bytes.toString()
      const hasSurveyed =
        ({ name }: Deploy) =>
        () =>
          scene.network.log.some((line) => line.includes(`${name} gets the answer to: list ${location}/`))
      const isOver = (deploy: Deploy) => () => deploy.outcome !== 'under way'
      const refusedPages: Fails = (_number, what) => (what.endsWith('.html') ? 'refused' : undefined)

      /** As a machine does: its clock goes on, and its timers don't. */
      const sleepFor = (milliseconds: number) => vi.setSystemTime(Date.now() + milliseconds)

      async function arrive(isIt: (request: HeldRequest) => boolean): Promise<void> {
        for (const request of scene.network.held.filter(isIt)) {
          while (!request.over) await scene.advance(request)
        }
      }

      /** The deploy has ended or failed, its site stands, and the record says so. */
      async function expectStanding(deploy: Deploy, release: number): Promise<void> {
        expect(deploy.released?.release).toBe(release)
        scene.checkSite(deploy)
        await scene.checkEnd()
      }

      it.each([
        ['changed', 3],
        ['unchanged', 1],
      ])(
        'a deploy that surveyed before two releases, and found its site %s, comes after them',
        async (_what, there) => {
          await scene.whole('first', siteOf(there))
          const late = scene.start('late', siteOf(1), { building: 120_000 })
          await scene.until(hasSurveyed(late))
          await scene.whole('one', siteOf(2, 'max-age=60'))
          await scene.whole('two', siteOf(4))
          expect(late.outcome).toBe('under way')
          await scene.until(isOver(late))
          await expectStanding(late, 4)
        },
      )

      it('a deploy that surveyed before one that gave up and one that died takes neither number', async () => {
        await scene.whole('first', siteOf(1))
        const late = scene.start('late', siteOf(4), { building: 60_000 })
        await scene.until(hasSurveyed(late))
        await scene.whole('broken', siteOf(2), { fails: refusedPages })
        expect(bytesOf(2)).toBe('')
        const dead = scene.start('dead', siteOf(3))
        await scene.until(has('index.html', 'version 3'))
        scene.kill(dead)
        await scene.until(isOver(late))
        await expectStanding(late, 4)
      })

      it('a deploy that saw an expired lock before another one took it over, and released, comes after that', async () => {
        await scene.whole('first', siteOf(1))
        const dead = scene.start('dead', siteOf(2))
        await scene.until(has('index.html', 'version 2'))
        scene.kill(dead)
        await scene.pass(40_000)
        const late = scene.start('late', siteOf(4))
        await scene.until(hasSurveyed(late))
        const isSecondLook = isOf(late, `list ${folder}`)
        await scene.until(isHeld(isSecondLook))
        for (const request of scene.network.held.filter(isSecondLook)) await scene.advance(request)
        const other = scene.start('other', siteOf(3))
        await scene.until(isOver(other), isSecondLook)
        expect(other.released?.release).toBe(3)
        await scene.until(isOver(late))
        await expectStanding(late, 4)
      })

      const twice: Fails = (_number, what) => (/^put .*\.lock$/.test(what) ? 'sent twice' : undefined)

      it('a lock whose answer was lost, and that was requested again, is its own', async () => {
        await scene.whole('first', siteOf(1))
        const begun = Date.now()
        const deploy = await scene.whole('twice', siteOf(2), { fails: twice })
        expect(scene.network.log.filter((line) => line === `twice: put ${lockOf(2)}`)).toHaveLength(2)
        expect(Date.now() - begun).toBeLessThan(5000)
        await expectStanding(deploy, 2)
      })

      it('a lock whose answer was lost is nobody’s when it is requested again after another deploy took over', async () => {
        await scene.whole('first', siteOf(1))
        const slow = scene.start('slow', siteOf(2), { fails: twice })
        await scene.until(() => bytesOf(2)?.includes('"slow"') ?? false)
        const isLock = isOf(slow, lockOf(2))
        const other = scene.start('other', siteOf(4))
        await scene.until(isOver(other), isLock)
        expect(bytesOf(2)).toContain('"slow"')
        await scene.until(isOver(slow))
        expect(slow.problem?.message).toMatch(/could not be renewed for 25 seconds.*\nThe site stands as it was\./s)
        await expectStanding(other, 3)
      })

      it('a lock that was requested by a deploy that died does not come after the release of that number', async () => {
        await scene.whole('first', siteOf(1))
        const dead = scene.start('dead', siteOf(2))
        await scene.until(isHeld(isOf(dead, lockOf(2))), isOf(dead, lockOf(2)))
        scene.kill(dead)
        const next = scene.start('next', siteOf(4))
        await scene.until(isOver(next), isOf(dead))
        expect(scene.network.held.filter(isOf(dead, lockOf(2)))).toHaveLength(1)
        await arrive(isOf(dead))
        expect(bytesOf(2)).toContain('"next"')
        await expectStanding(next, 2)
        await expectStanding(await scene.whole('last', siteOf(2)), 3)
      })

      it('a lock that is given up late does not end the one of the next deploy', async () => {
        await scene.whole('first', siteOf(1))
        scene.start('broken', siteOf(2), { fails: refusedPages })
        const isGivingUp = ({ by, what }: HeldRequest) =>
          by === 'broken' && what === `put ${lockOf(2)}` && scene.network.log.includes('broken: put static/index.html')
        await scene.until(() => scene.network.log.some((line) => /broken gets the answer.*index\.html/.test(line)))
        await scene.until(isHeld(isGivingUp), isGivingUp)
        const next = scene.start('next', siteOf(4))
        await scene.until(isHeld(isOf(next, '.html')), (request) => isGivingUp(request) || isOf(next, '.html')(request))
        await arrive(isGivingUp)
        expect(bytesOf(2)).toBe('')
        const last = scene.start('last', siteOf(3))
        const begun = Date.now()
        await scene.until(() => Date.now() - begun > 60_000, isOf(next, '.html'))
        expect(last.outcome).toBe('under way')
        await scene.until(isOver(last))
        expect(next.released?.release).toBe(3)
        await expectStanding(last, 4)
      })

      describe('after a holder has slept through its lock, and another deploy has released,', () => {
        async function sleepThrough(slow: Deploy): Promise<Deploy> {
          sleepFor(60_000)
          const other = scene.start('other', siteOf(4))
          await scene.until(isOver(other), isOf(slow))
          expect(other.released?.release).toBe(3)
          await scene.until(isOver(slow))
          return other
        }

        beforeEach(async () => {
          await scene.whole('first', siteOf(1))
        })

        it('it writes no page', async () => {
          const slow = scene.start('slow', siteOf(2), { concurrency: 16 })
          const isLast = isOf(slow, '/assets/app-')
          await scene.until(isHeld(isLast), isLast)
          await scene.until(() => scene.network.held.every(isLast), isLast)
          expect(bytesOf(2)).toContain('"slow"')
          const other = await sleepThrough(slow)
          expect(slow.problem?.message).toMatch(/could not be renewed for 25 seconds.*\nThe site stands as it was\./s)
          await expectStanding(other, 3)
        })

        it('it writes no second page', async () => {
          const slow = scene.start('slow', siteOf(2), { concurrency: 1 })
          await scene.until(has('index.html', 'version 2'))
          const other = await sleepThrough(slow)
          expect(slow.problem?.message).toMatch(/could not be renewed for 25 seconds.*\n1 page is new/s)
          await expectStanding(other, 3)
        })

        it('it writes no record', async () => {
          const slow = scene.start('slow', siteOf(2), { concurrency: 16 })
          const isPage = isOf(slow, '.html')
          await scene.until(isHeld(isPage), isPage)
          for (const request of scene.network.held.filter(isPage)) await scene.advance(request)
          const other = await sleepThrough(slow)
          expect(slow.released?.release).toBeUndefined()
          expect(scene.network.log.filter((line) => line.startsWith('slow: put') && line.includes('.json.gz'))).toEqual(
            [],
          )
          await expectStanding(other, 3)
        })
      })
    })

    it('a release on top of one that stopped in the middle is whole', async () => {
      await scene.whole('first', siteOf(1))
      const dead = scene.start('dead', siteOf(2))
      await scene.until(has('index.html', 'version 2'))
      scene.kill(dead)
      const pages = ['index.html', 'about.html'].map((path) => scene.bucket.objects.get(`${location}/${path}`)?.bytes)
      expect(new Set(pages.map((page) => /<title>.*<\/title>/.exec(`${page}`)?.[0])).size).toBe(2)
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

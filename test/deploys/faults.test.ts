import { createHash, randomUUID } from 'node:crypto'
import dns from 'node:dns'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { makeApp, removeApps, writeFiles } from '../../fixtures/build/in-process.js'
import { deploySettings } from '../../fixtures/build/settings.js'
import { type Answer, type FaultyProxy, type Passage, startFaultyProxy } from '../../fixtures/s3/faulty-proxy.js'
import {
  type EmbeddedS3,
  type LoggedRequest,
  type Fault as ServerFault,
  type StoredObject,
  startEmbedded,
} from '../../fixtures/s3/index.js'
import { startDeploy } from '../../src/deploy/deploy.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import type { Clock } from '../../src/s3/http/retry.js'
import type { S3Settings } from '../../src/s3/objects/s3-bucket.js'
import type { Credentials, Settings } from '../../src/settings/settings.js'

// A whole deploy under each fault at each of its requests: it ends well with the new site there, or in one message with every page whole, and
// the run after it ends well. What one request does under a fault is in test/s3.

// Waits between attempts cost no time here, and silence is noticed sooner.
vi.mock('../../src/s3/objects/s3-bucket.js', async (original) => {
  const real = await original<typeof import('../../src/s3/objects/s3-bucket.js')>()
  const openBucket = (settings: S3Settings) => {
    const scene = scenes.get(settings.bucket)
    silence = scene?.silence
    return real.openBucket(settings, scene?.clock)
  }
  return { ...real, openBucket }
})
vi.mock('../../src/s3/http/connections.js', async (original) => {
  const real = await original<typeof import('../../src/s3/http/connections.js')>()
  const openConnections = (most: number) =>
    real.openConnections(most, silence === undefined ? {} : { idleTimeout: silence })
  return { ...real, openConnections }
})

// It would ask git, which takes longer than the rest of a deploy here.
vi.mock('../../src/deploy/deployer.js', () => ({
  whoDeploys: async (bundler: string) => ({ id: randomUUID(), by: 'tests', commit: undefined, bundler }),
}))

/** Milliseconds without a byte after which a connection that is opened now is given up. */
let silence: number | undefined
/** Milliseconds after which a lock that was left is over. */
const term = 31_000
/** Seconds for which credentials that expire are good. */
const validity = 600

const location = 'static'
const releases = `.static-s3/${location}/releases/`

const kinds = [
  'list of the folder',
  'list of the location',
  'get of the record',
  'head',
  'put of a fingerprinted file',
  'put of a backup',
  'lock',
  'put of an asset',
  'copy',
  'put of a manifest',
  'put of a page',
  'record',
] as const
type Kind = (typeof kinds)[number]

type Asked = Pick<LoggedRequest, 'method' | 'key' | 'query' | 'headers'>

function kindOf({ method, key = '', query, headers }: Asked): Kind {
  if (method === 'HEAD') return 'head'
  if (method === 'GET') {
    if (key !== '') return 'get of the record'
    return query.prefix === releases ? 'list of the folder' : 'list of the location'
  }
  if (headers['x-amz-copy-source'] !== undefined) return 'copy'
  if (key.startsWith(releases)) return key.endsWith('.lock') ? 'lock' : 'record'
  if (key.startsWith('.static-s3/')) return 'put of a backup'
  if (key.endsWith('.html')) return 'put of a page'
  if (key.endsWith('.webmanifest')) return 'put of a manifest'
  return key.includes('/assets/') ? 'put of a fingerprinted file' : 'put of an asset'
}

const reads: Kind[] = ['list of the folder', 'list of the location', 'get of the record', 'head']
const bodies = kinds.filter((kind) => !reads.includes(kind) && kind !== 'copy')
const writes = kinds.filter((kind) => !reads.includes(kind))

/** Without these a deploy is longer, or the next one: the site is right. */
const dispensable: Kind[] = ['get of the record', 'record']

/** `once`: the first request of its kind. `each`: all of its kind. `on`: all from the first of its kind on. */
type Scope = 'once' | 'each' | 'on'

interface Fault {
  /** By which it is counted. */
  kind: string
  name: string
  at: readonly Kind[]
  scopes: readonly Scope[]
  /** What the server does with a request that is hit. */
  server?: ServerFault
  /** What becomes of it on the way. */
  passage?: Passage
  /** What happens around the two when it is sent. */
  event?: (scene: Scene) => unknown
  /** Whether the deploy ends well all the same, where that isn't `endsWell`. */
  well?: (kind: Kind, scope: Scope, fault: string) => boolean
  /** Whether what it hits was done, and nobody was told. */
  /** What else is to be seen. */
  shows?: (scene: Scene) => void
}

/** Kinds of faults after which another deploy may go well. */
const passing = ['500', '503', '429', 'reset', 'silence']

/** What passes does no harm; what stays, only to what can be done without. */
function endsWell(kind: Kind, scope: Scope, fault = ''): boolean {
  if (scope === 'once') return true
  // The record may have a hold: only one that can never be read is done without.
  if (kind === 'get of the record' && (scope === 'on' || passing.includes(fault))) return false
  return dispensable.includes(kind)
}

const always = () => true
const both: Scope[] = ['once', 'each']

const flipped = (body: Buffer) => {
  const copy = Buffer.from(body)
  const middle = copy.length >> 1
  copy[middle] = (copy[middle] ?? 0) ^ 1
  return copy
}
const otherEtag = createHash('md5').update('something else').digest('hex')
const withBody = (edit: (body: string) => string) => (answer: Answer) => ({
  ...answer,
  body: Buffer.from(edit(answer.body.toString())),
})
const withEtag = (answer: Answer) =>
  answer.headers.etag === undefined
    ? withBody((body) => body.replace(/(<ETag>)[^<]*/g, `$1&quot;${otherEtag}&quot;`))(answer)
    : { ...answer, headers: { ...answer.headers, etag: `"${otherEtag}"` } }
const repeatedToken = withBody((body) =>
  body.replace(
    '<IsTruncated>false</IsTruncated>',
    '<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>',
  ),
)
/** How often the server had other bytes than those that the request tells of. */
function refusedForBytes({ s3 }: Scene): number {
  const refused = s3.server.requests.filter(({ code }) => code === 'BadDigest' || code === 'XAmzContentSHA256Mismatch')
  for (const { headers } of refused) expect(headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/)
  return refused.length
}

const saidBy = (code: string) => (scene: Scene) =>
  expect(scene.s3.server.requests.some((request) => request.code === code)).toBe(true)

const changes: [what: string, change: (scene: Scene, path: string) => Promise<void>][] = [
  ['grows', ({ dir }, path) => writeFiles(dir, { [path]: Buffer.concat([contentOf('new', path), Buffer.from('x')]) })],
  ['changes', ({ dir }, path) => writeFiles(dir, { [path]: flipped(contentOf('new', path)) })],
  ['vanishes', ({ dir }, path) => rm(join(dir, path))],
]

const faults: Fault[] = [
  { kind: '500', name: '500', at: kinds, scopes: both, server: { status: 500 } },
  { kind: '503', name: '503 SlowDown', at: kinds, scopes: both, server: { status: 503, code: 'SlowDown' } },
  {
    kind: '503',
    name: '503 SlowDown with Retry-After',
    at: kinds,
    scopes: ['once'],
    server: { status: 503, code: 'SlowDown', headers: { 'retry-after': '7' } },
    shows: ({ slept }) => expect(slept).toContain(7000),
  },
  {
    kind: '429',
    name: '429',
    at: kinds,
    scopes: both,
    server: { status: 429, code: 'TooManyRequests' },
    // A copy that is refused becomes an upload.
    well: (kind, scope) => kind === 'copy' || endsWell(kind, scope, '429'),
  },
  {
    kind: 'connection refused',
    name: 'a server that stops listening',
    at: kinds,
    scopes: ['once', 'on'],
    passage: { cut: 'before' },
    event: ({ proxy }) => proxy.refuse(),
  },
  {
    kind: 'DNS',
    name: 'a name server that fails',
    at: kinds,
    scopes: ['once', 'on'],
    passage: { cut: 'before' },
    event: ({ proxy, host }) => {
      unknownHosts.add(host)
      proxy.reset()
    },
  },
  { kind: 'reset', name: 'a reset before anything arrives', at: kinds, scopes: both, server: { destroy: 'before' } },
  { kind: 'reset', name: "a reset in the request's body", at: bodies, scopes: both, passage: { cut: 'request' } },
  {
    kind: 'reset',
    name: "a reset in the answer's body",
    at: [...reads.filter((kind) => kind !== 'head'), 'copy'],
    scopes: both,
    passage: { cut: 'answer' },
  },
  {
    kind: 'silence',
    name: 'an answer that never ends',
    at: kinds,
    scopes: both,
    passage: { stalls: true },
  },
  {
    kind: 'lost answer',
    name: 'an answer lost after the write was done',
    at: writes,
    scopes: both,
    server: { destroy: 'afterWrite' },
  },
  {
    kind: '200 with an error',
    name: 'a 200 with an error',
    at: [...reads.filter((kind) => kind !== 'head'), 'copy'],
    scopes: both,
    server: { status: 200 },
  },
  {
    kind: 'repeated token',
    name: 'a page of a listing that repeats its token',
    at: ['list of the folder', 'list of the location'],
    scopes: both,
    passage: { answer: repeatedToken },
    // Of the folder, the first page is enough.
    well: (kind, scope) => kind === 'list of the folder' || scope === 'once',
  },
  {
    kind: 'wrong ETag',
    name: 'a wrong ETag',
    at: kinds.filter((kind) => kind !== 'get of the record'),
    scopes: both,
    passage: { answer: withEtag },
    well: always,
  },
  ...[1, -1].map(
    (hours): Fault => ({
      kind: 'clock',
      name: `a clock that jumps by ${hours} h`,
      at: kinds,
      scopes: ['once'],
      event: (scene) => {
        scene.ahead += hours * 3_600_000
      },
      shows: saidBy('RequestTimeTooSkewed'),
    }),
  ),
  {
    kind: 'expired credentials',
    name: 'credentials that expire',
    at: kinds,
    scopes: ['on'],
    event: (scene) => {
      scene.ahead += 1000 * validity + 1000
    },
    shows: saidBy('ExpiredToken'),
  },
  {
    kind: 'lost bucket',
    name: 'a bucket that disappears',
    at: kinds,
    scopes: ['on'],
    server: { status: 404, code: 'NoSuchBucket' },
  },
  ...changes.flatMap(([what, change]) =>
    ['assets/main.js', 'picture.svg', 'app.webmanifest', 'about.html'].map(
      (path): Fault => ({
        kind: 'changed file',
        name: `${path}, which ${what}`,
        // After hashing, and before the first file that visitors see.
        at: ['lock'],
        scopes: ['once'],
        event: (scene) => change(scene, built(path)),
        // A small file's bytes are at hand since it was hashed, and a large file is copied from its backup.
        well: () => true,
        ...(what === 'changes' ? { shows: (scene) => expect(refusedForBytes(scene)).toBe(0) } : {}),
      }),
    ),
  ),
  {
    kind: 'corrupted body',
    name: 'a body that is damaged on the way',
    at: bodies,
    scopes: both,
    passage: { body: flipped },
    shows: (scene) => expect(refusedForBytes(scene)).toBe(scene.hits),
  },
  {
    kind: 'corrupted body',
    name: 'a record that is damaged on the way',
    at: ['get of the record'],
    scopes: both,
    passage: { answer: (answer) => ({ ...answer, body: flipped(answer.body) }) },
  },
  ...(['first', 'second'] as const).map(
    (answer): Fault => ({
      kind: 'repeated request',
      name: `a request that arrives twice, with the ${answer} answer`,
      at: kinds,
      scopes: both,
      passage: { twice: answer },
      well: always,
    }),
  ),
]

type Version = 'old' | 'new'

const hash = (content: string) => createHash('sha256').update(content).digest('hex').slice(0, 8)

/** By path. The library is the same in both, and the logo but for its headers. */
function siteOf(version: Version): Map<string, Buffer> {
  const library = `export const library = 1`
  const libraryPath = `assets/library-${hash(library)}.js`
  const main = `import '/${location}/${libraryPath}'\nexport const version = '${version}' // ${version.repeat(10_000)}`
  const mainPath = `assets/main-${hash(main)}.js`
  const page = (name: string) => `<!doctype html><title>${name}, ${version}</title>
<link rel="manifest" href="/${location}/app.webmanifest"><img src="/${location}/logo.svg"><img src="/${location}/picture.svg">
<img src="/${location}/icon.svg">
<script type="module" src="/${location}/${mainPath}"></script>`
  const site = {
    'index.html': page('index'),
    'about.html': page('about'),
    [mainPath]: main,
    [libraryPath]: library,
    'logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'icon.svg': `<svg xmlns="http://www.w3.org/2000/svg"><desc>${version}</desc></svg>`,
    'picture.svg': `<svg xmlns="http://www.w3.org/2000/svg"><desc>${version.padEnd(300 * 1024)}</desc></svg>`,
    'app.webmanifest': JSON.stringify({ name: version, icons: [{ src: `/${location}/logo.svg` }] }),
  }
  return new Map(Object.entries(site).map(([path, content]) => [path, Buffer.from(content)]))
}

const sites = { old: siteOf('old'), new: siteOf('new') }
const contentOf = (version: Version, path: string) => sites[version].get(path) as Buffer
const isFingerprinted = (path: string) => path.startsWith('assets/')

/** A path of the new site by its name without the fingerprint. */
const built = (path: string) =>
  [...sites.new.keys()].find((each) => each.replace(/-[0-9a-f]{8}\./, '.') === path) as string

/** What is right for a key, bytes and headers, as deploys without a fault have left it. */
const right: Record<Version, Map<string, StoredObject>> = { old: new Map(), new: new Map() }
/** The bucket before the new release. */
let before: StoredObject[]

/** The same, but nobody knows who wrote the library last: its headers are asked for. */
const beforeFor = (kind: Kind): StoredObject[] =>
  before.map((object) => {
    const isAskedFor = kind === 'head' && object.key.includes('/library-')
    return isAskedFor ? { ...object, lastModified: new Date(object.lastModified.getTime() + 60_000) } : object
  })

function isRight(there: StoredObject, version: Version): boolean {
  const wanted = right[version].get(there.key)
  if (!wanted?.body.equals(there.body)) return false
  return isDeepStrictEqual([wanted.headers, wanted.metadata], [there.headers, there.metadata])
}

const references = new Map<string, string[]>()

/** Keys, by what stands in the file. */
function referencesIn(body: Buffer): string[] {
  const text = body.toString()
  const known = references.get(text) ?? [...text.matchAll(/["']\/([^"']+)["']/g)].map(([, key]) => key as string)
  references.set(text, known)
  return known
}

const counted = { pages: 0, violations: 0, injected: new Map(faults.map(({ kind }) => [kind, 0])) }
const scenes = new Map<string, Scene>()
const unknownHosts = new Set<string>()
let opened = 0

/** One bucket on a server of its own, behind a proxy of its own. */
class Scene {
  /** Milliseconds by which the server's clock is ahead of ours. */
  ahead = 0
  hits = 0
  readonly host = `s3-${++opened}.faults.internal`
  readonly slept: number[] = []
  readonly seen: string[] = []
  proxy!: FaultyProxy
  s3!: EmbeddedS3
  bucket!: string
  dir!: string
  credentials!: Credentials
  #fault: { fault: Fault; kind: Kind; scope: Scope } | undefined
  #met = false

  readonly clock: Clock = {
    now: Date.now,
    random: () => 0,
    sleep: async (ms) => {
      this.slept.push(ms)
      if (this.#fault?.scope === 'once') await this.#recover()
    },
  }

  static async open(dir: string, objects: Iterable<StoredObject> = []): Promise<Scene> {
    const scene = new Scene()
    scene.dir = dir
    scene.s3 = await startEmbedded({ now: () => new Date(Date.now() + scene.ahead) })
    const { server } = scene.s3
    scene.bucket = await scene.s3.createBucket()
    server.seed(scene.bucket, objects)
    server.reset()
    scene.credentials = server.credentials
    server.intercept = (request) => {
      scene.#look(request)
      return scene.#fault?.fault.server && scene.#hit(request) ? scene.#fault.fault.server : undefined
    }
    scene.proxy = await startFaultyProxy(server.port, async (request) => {
      const { fault } = scene.#fault ?? {}
      if (!fault || fault.server || !scene.#hit(request)) return undefined
      await fault.event?.(scene)
      return fault.passage
    })
    scenes.set(scene.bucket, scene)
    return scene
  }

  /** Short if the fault causes silence, because the test waits for it. A busy machine is silent for a second by itself. */
  get silence(): number | undefined {
    return this.#fault?.fault.passage?.stalls ? 5000 : undefined
  }

  inject(fault: Fault, kind: Kind, scope: Scope): void {
    this.#fault = { fault, kind, scope }
    if (fault.kind === 'expired credentials') this.credentials = this.s3.server.session(validity)
  }

  /** Nothing goes wrong any more. */
  async heal(): Promise<void> {
    this.#fault = undefined
    await this.#recover()
    this.ahead += term
    this.credentials = this.s3.server.credentials
  }

  async close(): Promise<void> {
    scenes.delete(this.bucket)
    await this.proxy.close()
    await this.s3.close()
  }

  async #recover(): Promise<void> {
    unknownHosts.delete(this.host)
    await this.proxy.accept()
  }

  #hit(request: Asked): boolean {
    if (!this.#fault) return false
    const { fault, kind, scope } = this.#fault
    const isOfKind = kindOf(request) === kind
    const hit = scope === 'once' ? isOfKind && !this.#met : isOfKind || (scope === 'on' && this.#met)
    this.#met ||= isOfKind
    if (!hit) return false
    this.hits++
    counted.injected.set(fault.kind, (counted.injected.get(fault.kind) ?? 0) + 1)
    return true
  }

  /** The bucket as visitors see it at each request. */
  #look(request: LoggedRequest): void {
    if (request.bucket !== this.bucket || right.new.size === 0) return
    this.seen.push(...this.problems().map((problem) => `before the ${kindOf(request)}: ${problem}`))
  }

  /** Reads every page, and all that it refers to, deep. */
  problems(): string[] {
    const objects = this.s3.server.objects(this.bucket)
    const found: string[] = []
    const read = (key: string, from: Version, way: string) => {
      const there = objects.get(key)
      if (!there) return found.push(`${way} ${key} is missing`)
      const path = key.slice(location.length + 1)
      // Without a fingerprint it may be newer than what refers to it, never older.
      const versions: Version[] = from === 'new' ? ['new'] : isFingerprinted(path) ? ['old'] : ['old', 'new']
      const version = versions.find((each) => isRight(there, each))
      if (!version) return found.push(`${way} ${key} is not what is right for the ${from} site`)
      for (const next of referencesIn(there.body)) read(next, version, `${way} ${key} →`)
    }
    for (const page of ['index.html', 'about.html']) {
      counted.pages++
      read(`${location}/${page}`, 'old', '')
    }
    counted.violations += found.length
    return found
  }

  /** Pages that are new, and other files without a fingerprint that are. */
  fresh(): { pages: number; others: number } {
    const objects = [...this.s3.server.objects(this.bucket).values()]
    const fresh = objects.filter((each) => isRight(each, 'new') && !isRight(each, 'old')).map(({ key }) => key)
    const pages = fresh.filter((key) => key.endsWith('.html')).length
    return { pages, others: fresh.filter((key) => !key.endsWith('.html') && !key.includes('/assets/')).length }
  }

  /** Keys of the new site that aren't as they should be. */
  wrong(): string[] {
    const objects = this.s3.server.objects(this.bucket)
    const found = [...right.new.keys()].filter((key) => {
      const there = objects.get(key)
      return !there || !isRight(there, 'new')
    })
    counted.violations += found.length
    return found
  }
}

async function settingsOf({ bucket, host, proxy, s3, credentials }: Scene, version: Version): Promise<Settings> {
  const rules = [{ match: 'logo.svg', cacheControl: 'max-age=60' }]
  const settings = await deploySettings({
    enabled: true,
    verify: false,
    bucket,
    location,
    region: s3.region,
    endpoint: `http://${host}:${proxy.port}`,
    rewrite: false,
    ...(version === 'new' ? { rules } : {}),
  })
  return { ...settings, credentials }
}

interface Outcome {
  error: Error | undefined
  said: string[]
}

/** A deploy as an adapter makes it. */
async function deploy(scene: Scene, version: Version): Promise<Outcome> {
  const settings = await settingsOf(scene, version)
  const said: string[] = []
  const emitted = new Set(sites[version].keys())
  const log = (message: string) => said.push(message)
  const published = startDeploy(settings).publish({
    outputs: [{ dir: scene.dir, emitted, fingerprinted: new Set([...emitted].filter(isFingerprinted)) }],
    notOurs: [],
    base: '/',
    bundler: 'none',
    logger: { info: log, warn: log },
    terminal: undefined,
  })
  const error = await published.then(
    () => undefined,
    (thrown: Error) => thrown,
  )
  return { error, said }
}

let dirs: Record<Version, string>

beforeAll(async () => {
  const { lookup } = dns
  const fake = (host: string, options: dns.LookupAllOptions, callback: (...args: unknown[]) => void) => {
    if (!host.endsWith('.faults.internal')) return lookup(host, options, callback)
    if (unknownHosts.has(host)) {
      const error = Object.assign(new Error(`getaddrinfo EAI_AGAIN ${host}`), {
        code: 'EAI_AGAIN',
        syscall: 'getaddrinfo',
      })
      return process.nextTick(callback, error)
    }
    process.nextTick(callback, null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4)
  }
  vi.spyOn(dns, 'lookup').mockImplementation(fake as never)

  const [old, next] = await Promise.all([sites.old, sites.new].map((site) => makeApp(Object.fromEntries(site))))
  dirs = { old: old as string, new: next as string }
  const scene = await Scene.open(dirs.old)
  const objects = scene.s3.server.objects(scene.bucket)
  const site = () => [...objects].filter(([key]) => key.startsWith(`${location}/`))
  expect(await deploy(scene, 'old')).toMatchObject({ error: undefined })
  before = [...objects.values()]
  for (const [key, object] of site()) right.old.set(key, object)
  scene.dir = dirs.new
  expect(await deploy(scene, 'new')).toMatchObject({ error: undefined })
  for (const [key, object] of site()) if (sites.new.has(key.slice(location.length + 1))) right.new.set(key, object)
  await scene.close()
})

afterAll(async () => {
  vi.restoreAllMocks()
  await removeApps()
  const { pages, violations } = counted
  const injected = [...counted.injected].filter(([, times]) => times > 0)
  const sum = injected.reduce((before, [, times]) => before + times, 0)
  console.log(
    [
      `faults: ${injected.length} kinds, ${sum} injected, ${pages} pages checked, ${violations} violations`,
      ...injected.map(([kind, times]) => `  ${kind}: ${times}`),
    ].join('\n'),
  )
})

it('has the right site to compare with', () => {
  for (const version of ['old', 'new'] as const) {
    const site = sites[version]
    expect([...right[version].keys()].sort()).toEqual([...site.keys()].map((path) => `${location}/${path}`).sort())
    for (const [key, { body, headers }] of right[version]) {
      const path = key.slice(location.length + 1)
      expect(body.equals(contentOf(version, path)), key).toBe(true)
      const policy = isFingerprinted(path)
        ? 'public, max-age=31536000, immutable'
        : path === 'logo.svg' && version === 'new'
          ? 'max-age=60'
          : 'no-cache'
      expect(headers['cache-control'], key).toBe(policy)
    }
  }
})

/** Of the scopes, one is tried at every other kind of request, unless all are asked for. */
const all = process.env.FAULTS === 'all'
const cases = kinds.flatMap((kind, i) =>
  faults.flatMap((fault, j) => {
    if (!fault.at.includes(kind)) return []
    const scopes = fault.scopes.filter((_, k) => all || fault.at.length === 1 || (i + j + k) % 2 === 0)
    return scopes.map((scope) => ({ title: `${fault.name}, ${scope}, at the ${kind}`, fault, kind, scope }))
  }),
)
const changesFiles = ({ fault }: (typeof cases)[number]) => fault.kind === 'changed file'

describe.concurrent('a deploy under a fault ends well or leaves every page whole, and so does the next', () => {
  it.each(cases.map((each) => [each.title, each] as const))('%s', async (_title, each) => {
    const { fault, kind, scope } = each
    const scene = await Scene.open(
      changesFiles(each) ? await makeApp(Object.fromEntries(sites.new)) : dirs.new,
      beforeFor(kind),
    )
    try {
      scene.inject(fault, kind, scope)
      const secrets = scene.credentials
      const { error, said } = await deploy(scene, 'new')
      expect(scene.hits).toBeGreaterThan(0)
      fault.shows?.(scene)
      expect(scene.seen).toEqual([])
      expect(scene.problems()).toEqual([])
      const text = [error?.message ?? '', error?.stack ?? '', ...said].join('\n')
      for (const secret of Object.values(secrets)) expect(text).not.toContain(secret)
      expect(text).not.toMatch(/Signature=|Credential=/)
      // Nobody else is there.
      expect(text).not.toContain('waiting for')
      if ((fault.well ?? endsWell)(kind, scope, fault.kind)) {
        expect(error?.message).toBeUndefined()
        expect(scene.wrong()).toEqual([])
      } else {
        expect(error).toBeInstanceOf(StaticS3Error)
        expect(error?.message).toMatch(/^static-s3: /)
        expect(error?.message.match(/static-s3: /g)).toHaveLength(1)
        expectTrue(error?.message ?? '', scene)
      }

      await scene.heal()
      if (changesFiles(each)) await writeFiles(scene.dir, Object.fromEntries(sites.new))
      const next = await deploy(scene, 'new')
      expect(next.error?.message).toBeUndefined()
      expect(next.said.join()).not.toContain('waiting for')
      expect(scene.wrong()).toEqual([])
      expect(scene.seen).toEqual([])
      expect(scene.problems()).toEqual([])
    } finally {
      await scene.close()
    }
  })
})

/** A failure says what visitors see, and the bucket is so. */
function expectTrue(message: string, scene: Scene): void {
  const said =
    /^(?:The old pages stand; )?(\d+) (page|file)[\w ]*? (?:(?:is|are) new(?: and (\d+) more may be)?|(may be) new)|The site stands as it was/m.exec(
      message,
    )
  expect(said, message).not.toBeNull()
  const [, count = 0, what, more = 0, maybe] = said as RegExpExecArray
  const least = maybe ? 0 : Number(count)
  const most = Number(count) + Number(more)
  const { pages, others } = scene.fresh()
  const isTrue =
    what === 'page'
      ? pages >= least && pages <= most
      : pages === 0 && others >= (what === 'file' ? least : 0) && others <= (what === 'file' ? most : 0)
  if (!isTrue) counted.violations++
  expect({ message, pages, others, isTrue }).toMatchObject({ isTrue: true })
}

async function messageUnder(named: string, kind: Kind): Promise<{ message: string; scene: Scene }> {
  const scene = await Scene.open(dirs.new, beforeFor(kind))
  scene.inject(faults.find(({ name }) => name === named) as Fault, kind, 'each')
  const { error } = await deploy(scene, 'new')
  await scene.close()
  expect(error).toBeInstanceOf(StaticS3Error)
  return { message: error?.message ?? '', scene }
}

describe('the message of a deploy that fails', () => {
  it.each(['list of the folder', 'list of the location', 'head', 'lock'] as const)(
    'says what stands when it is the %s that fails',
    async (kind) => {
      const { message } = await messageUnder('500', kind)
      expect(message).toContain('The site stands as it was')
    },
  )

  it.each([
    [
      'put of an asset',
      /The old pages stand; (?:\d+ files? without a fingerprint (?:is|are) new and )?\d+ (?:more )?.*may be/,
    ],
    ['copy', /The old pages stand; (?:\d+ files? without a fingerprint (?:is|are) new and )?\d+ (?:more )?.*may be/],
    ['put of a manifest', /The old pages stand; 3 files without a fingerprint are new and 1 more may be/],
    ['put of a page', /2 pages may be new, and everything that they need is there/],
  ] as const)('says what may be new where S3 has not answered the %s', async (kind, says) => {
    const { message, scene } = await messageUnder('an answer lost after the write was done', kind)
    expect(message).toMatch(says)
    expectTrue(message, scene)
  })
})

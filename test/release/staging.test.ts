import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it, test } from 'vitest'
import { type MemoryBucket, memoryBucket, type StoredObject } from '../../fixtures/bucket/memory-bucket.js'
import { file as planned, recorded } from '../../fixtures/release/plan-scene.js'
import { type Deploy, type DeployOptions, type Kind, run } from '../../fixtures/release/rivals.js'
import { fileOf, folder, hash, location } from '../../fixtures/release/versions.js'
import { type Bucket, bodyOfBytes } from '../../src/bucket/bucket.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { ReleaseRecord } from '../../src/release/records/record.js'
import { filesOf, releasedIn } from '../../src/release/records/record.js'
import { backupKey, lockKey, recordKey } from '../../src/release/records/releases-folder.js'
import { type CarriedOut, recordOf } from '../../src/release/write-record.js'
import { readRelease, releaseBefore } from '../../src/restore/restored-release.js'
import { StaticS3Error } from '../../src/runtime/error.js'

// Releases that are staged, held and restored, one at a time: what the bucket has, what its records say, and what a failure says.

let bucket: MemoryBucket
let warnings: string[]
let runs: number

beforeEach(() => {
  let time = Date.UTC(2026, 0, 1)
  // Each moment is a later one.
  bucket = memoryBucket({ now: () => ++time })
  warnings = []
  runs = 0
})

const noCache = { CacheControl: 'no-cache' }
const site = (version: string, more: HashedFile[] = []): HashedFile[] => [
  fileOf(`assets/app-${hash('md5', version).slice(0, 8)}.js`, 'fingerprinted', `app ${version}`, noCache),
  fileOf('assets/same-1.js', 'fingerprinted', 'the same', noCache),
  fileOf('logo.svg', 'asset', `<svg>${version}</svg>`, noCache),
  fileOf('index.html', 'html', `<title>${version}</title>`, noCache),
  ...more,
]

interface Options extends DeployOptions {
  files?: HashedFile[]
  from?: Bucket
}

function start(kind: Kind, { files = [], from = bucket, ...options }: Options = {}) {
  const client = { bucket: from, die: () => {} }
  const deploy: Deploy = { name: `${kind} ${++runs}`, kind, files, client, outcome: 'under way' }
  return run(deploy, { warn: (message) => warnings.push(message), ...options })
}
const deploy = (version: string, options?: Options) => start('deploy', { files: site(version), ...options })
const stage = (version: string, options?: Options) => start('stage', { files: site(version), ...options })
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no failure',
    (error: Error) => error.message,
  )

const recordOfRelease = (release: number) => readRelease(bucket, location, release)
const has = (key: string) => bucket.objects.has(key)
const lockOf = (release: number) => bucket.objects.get(lockKey(folder, release))?.bytes.length
const recordCount = () => [...bucket.objects.keys()].filter((key) => key.endsWith('.json.gz')).length
/** What visitors get: bytes and headers. */
const seen = () =>
  new Map(
    [...bucket.objects]
      .filter(([key]) => key.startsWith(`${location}/`))
      .map(([key, { bytes, parameters }]) => [key, `${bytes.toString('base64')} ${canonicalHeaders(parameters)}`]),
  )
const pages = () => [...seen()].filter(([key]) => !key.includes('/assets/'))
const write = (key: string, text: string) => bucket.put(key, bodyOfBytes(Buffer.from(text)), noCache)

/** The bucket, whose puts of some keys end with an error of this status; without one, nobody learns what becomes of them. */
function failing(pattern: RegExp, status: number | undefined): Bucket {
  const error = () => {
    const name = status === 403 ? 'AccessDenied' : 'ECONNRESET'
    return new StaticS3Error(`static-s3: PUT: ${name}`, { cause: Object.assign(new Error(name), { name, status }) })
  }
  const put: Bucket['put'] = async (key, ...rest) => {
    if (pattern.test(key)) throw error()
    return bucket.put(key, ...rest)
  }
  const get: Bucket['get'] = async (key, signal) => {
    if (pattern.test(`get ${key}`)) throw error()
    return bucket.get(key, signal)
  }
  return { ...bucket, put, get }
}
const anyRecord = /^\.static-s3\/.*\.json\.gz$/
const anyBackup = /^\.static-s3\/.*\/objects\//
const readsRecord = /^get .*\.json\.gz$/

describe('a stage', () => {
  test('of a fingerprinted name with other bytes is refused, and nothing is written', async () => {
    await deploy('1')
    const before = new Map(bucket.objects)
    const files = [...site('2').slice(2), fileOf('assets/same-1.js', 'fingerprinted', 'other bytes', noCache)]
    expect(await failureOf(start('stage', { files }))).toMatch(
      /^static-s3: static\/assets\/same-1\.js: the bucket has other bytes under the same fingerprinted name, so the release can't be staged/,
    )
    expect(bucket.objects).toEqual(before)
  })

  test('adds new fingerprinted files, its record all its files, and that keeps all objects of the live release', async () => {
    await deploy('1')
    const before = seen()
    // Somebody changes a file by hand.
    await write('static/logo.svg', 'by hand')
    before.set('static/logo.svg', seen().get('static/logo.svg') as string)
    expect(await stage('2')).toMatchObject({ release: 2, staged: 'asked' })
    expect([...seen()].filter(([key]) => before.has(key))).toEqual([...before])
    expect([...seen().keys()].filter((key) => !before.has(key))).toEqual([expect.stringMatching(/assets\/app-/)])

    await start('hold')
    const [first, staged, held] = await Promise.all([1, 2, 3].map(recordOfRelease))
    expect([...filesOf(staged as ReleaseRecord).keys()].sort()).toEqual(
      site('2')
        .map(({ path }) => path)
        .sort(),
    )
    for (const record of [staged, held] as ReleaseRecord[]) {
      expect(record.live).toBe(1)
      expect([...releasedIn(record.objects, 1)]).toEqual([...(first as ReleaseRecord).objects])
    }
    expect(filesOf(held as ReleaseRecord).size).toBe(0)
  })

  test('of the same files again leaves one record, as long as all its bytes are there', async () => {
    await deploy('1')
    await stage('2')
    expect(await stage('2')).toMatchObject({ release: 2, staged: 'asked' })
    expect(recordCount()).toBe(2)
    const app = [...seen().keys()].findLast((key) => key.includes('/assets/app-')) as string
    bucket.objects.delete(app)
    expect(await stage('2')).toMatchObject({ release: 3 })
    expect(has(app)).toBe(true)
    await start('activate', { of: 3 })
    expect(pages().join()).toContain(Buffer.from('<title>2</title>').toString('base64'))
  })

  test.each<[what: string, options: Options]>([
    ['with force', { settings: { force: true } }],
    ['with other headers', {}],
    ['with tags', { files: site('1').map((each) => ({ ...each, parameters: { ...noCache, Tagging: 'a=b' } })) }],
  ])('%s changes no header that visitors get, until it is activated', async (_what, options) => {
    await deploy('1', options.files ? { files: options.files } : {})
    const before = seen()
    const others = site('1').map((each) => ({ ...each, parameters: { CacheControl: 'max-age=60' } }))
    await start('stage', { ...options, files: others })
    expect(seen()).toEqual(before)
    await start('activate', { of: 2 })
    for (const object of seen().values()) expect(object).toContain('{"CacheControl":"max-age=60"')
  })
})

describe('what can’t be written', () => {
  beforeEach(async () => {
    await deploy('1')
    await deploy('2')
  })

  test.each<[what: string, pattern: RegExp, status: number | undefined]>([
    ['the record is refused', anyRecord, 403],
    ['nobody learns whether the record is written', anyRecord, undefined],
    ['its backups are refused', anyBackup, 403],
  ])('a stage is none if %s, and the site stands', async (_what, pattern, status) => {
    const before = seen()
    expect(await failureOf(stage('3', { from: failing(pattern, status) }))).toMatch(
      /^static-s3: the release is not staged, because \.static-s3\/ could not be written: PUT: \w+\nThe site stands as it was\./,
    )
    expect([...seen()].filter(([key]) => before.has(key))).toEqual([...before])
    expect(recordCount()).toBe(2)
    // A record on its way must not arrive beside the next deploy.
    expect(lockOf(3) === 0).toBe(status !== undefined)
  })

  test('a rollback changes nothing: its hold has not begun', async () => {
    const before = seen()
    expect(await failureOf(start('rollback and hold', { from: failing(anyRecord, 403) }))).toMatch(
      /^static-s3: the hold has not begun, because its record could not be written: PUT: \w+\nThe site stands as it was\.$/,
    )
    expect(seen()).toEqual(before)
    expect(await deploy('3')).toMatchObject({ staged: undefined })
  })

  test('a rollback whose second record fails is live and held', async () => {
    const from = failing(/99999995\.json\.gz$/, 403)
    expect(await start('rollback and hold', { from })).toMatchObject({ release: undefined, hold: expect.any(String) })
    expect(warnings).toEqual([expect.stringMatching(/^the site is live, but its record could not be written/)])
    expect(pages().join()).toContain(Buffer.from('<title>1</title>').toString('base64'))
    expect(await deploy('3')).toMatchObject({ staged: expect.anything() })
  })

  test('a rollback without a hold is live, with a warning and no number', async () => {
    expect(await start('rollback', { from: failing(anyRecord, 403) })).toMatchObject({ release: undefined })
    expect(warnings).toEqual([expect.stringMatching(/^the site is live, but its record could not be written/)])
  })

  test.each([403, undefined])('a hold has not begun, and a resume has not ended it (%s)', async (status) => {
    const from = failing(anyRecord, status)
    expect(await failureOf(start('hold', { from }))).toMatch(
      status === undefined
        ? /^static-s3: the hold may not have begun, because its record could not be written: PUT: \w+$/
        : /^static-s3: the hold has not begun, because its record could not be written: PUT: \w+$/,
    )
    expect(recordCount()).toBe(2)
    expect(lockOf(3) === 0).toBe(status !== undefined)
    if (status === undefined) return
    await start('hold')
    expect(await failureOf(start('resume', { from }))).toMatch(/^static-s3: the hold has not ended, because/)
    expect(await deploy('3')).toMatchObject({ staged: { by: 'hold 4' } })
  })
})

describe('a record that can’t be read', () => {
  beforeEach(async () => {
    await deploy('1')
    await start('hold')
  })

  test('just now ends a deploy: it may have a hold', async () => {
    const before = seen()
    expect(await failureOf(deploy('2', { from: failing(readsRecord, undefined) }))).toContain('ECONNRESET')
    expect(await failureOf(deploy('2', { from: failing(readsRecord, 503) }))).toContain('ECONNRESET')
    expect(seen()).toEqual(before)
  })

  test('after a hold ends no hold, and a resume does', async () => {
    await write(lockKey(folder, 3), '')
    await write(recordKey(folder, 3), 'damaged')
    expect(await deploy('2')).toMatchObject({ release: 4, staged: { by: 'hold 2' } })
    await write(recordKey(folder, 4), 'damaged')
    await start('resume')
    expect(await deploy('2')).toMatchObject({ release: 6, staged: undefined })
    await write(recordKey(folder, 6), 'damaged')
    expect(await deploy('2'), 'the same again, for its record').toMatchObject({ release: 7 })
    expect(await deploy('2')).toMatchObject({ release: undefined })
  })

  test('at all can’t be held on top of, nor resumed', async () => {
    for (const release of [1, 2]) await write(recordKey(folder, release), 'damaged')
    for (const kind of ['hold', 'resume'] as const) {
      expect(await failureOf(start(kind))).toMatch(
        /^static-s3: static has no release whose record can be read, so there is nothing to hold\n.*99999997\.json\.gz is damaged/,
      )
    }
    expect(recordCount()).toBe(2)
  })

  test('under the lock ends a resume too', async () => {
    let isTaken = false
    const put: Bucket['put'] = async (key, ...rest) => {
      if (key === lockKey(folder, 3) && !isTaken) {
        isTaken = true
        // Another deploy was first, and ended.
        await write(key, '')
        for (const release of [1, 2, 3]) await write(recordKey(folder, release), 'damaged')
      }
      return bucket.put(key, ...rest)
    }
    expect(await failureOf(start('resume', { from: { ...bucket, put } }))).toContain('so there is nothing to hold')
    expect(recordCount()).toBe(3)
    expect(lockOf(4)).toBe(0)
  })
})

describe('an activation', () => {
  test('stores a deleted backup again, from the object that still has its bytes', async () => {
    const icon = fileOf('favicon.svg', 'asset', 'the icon', noCache)
    await deploy('1', { files: site('1', [icon]) })
    await deploy('2', { files: site('2', [icon]) })
    const copy = backupKey(location, icon.sha256)
    bucket.objects.delete(copy)
    await start('rollback')
    expect(bucket.objects.get(copy)?.bytes.toString()).toBe('the icon')
    await deploy('3')
    await start('activate', { of: 3 })
    expect(seen().get(`${location}/favicon.svg`)).toContain(Buffer.from('the icon').toString('base64'))
  })

  test('whose backup can’t be stored again records none, so that a later deploy with the bytes stores it', async () => {
    const icon = fileOf('favicon.svg', 'asset', 'the icon', noCache)
    await deploy('1', { files: site('1', [icon]) })
    await deploy('2', { files: site('2', [icon]) })
    const copy = backupKey(location, icon.sha256)
    bucket.objects.delete(copy)
    const refusal = new StaticS3Error('static-s3: no', { cause: { status: 403, name: 'AccessDenied' } })
    const refusing: Bucket['copy'] = (from, to, ...rest) =>
      to === copy ? Promise.reject(refusal) : bucket.copy(from, to, ...rest)
    await start('rollback', { from: { ...bucket, copy: refusing } })
    expect(warnings).toEqual([expect.stringContaining("can't be restored later")])
    await deploy('3', { files: site('3', [icon]) })
    expect(has(copy)).toBe(true)
  })

  test('sends no retention that has ended', async () => {
    const locked = (end: number) =>
      site('1').map((each) => ({
        ...each,
        parameters: { ...noCache, ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: new Date(end) },
      }))
    const ends = Date.UTC(2026, 0, 1)
    for (const end of [ends - 1000, ends + 86_400_000]) {
      const first = await deploy('1', { files: locked(end) })
      await deploy('2')
      await start('activate', { of: first.release as number })
      const { parameters } = bucket.objects.get(`${location}/index.html`) as StoredObject
      const isSent = parameters.ObjectLockMode !== undefined && parameters.ObjectLockRetainUntilDate !== undefined
      expect(isSent).toBe(end > ends)
    }
  })

  const odd = [
    'a b+c%20.html',
    '%41.html',
    "it's(1)!*.svg",
    '日本/索引.html',
    'ü/u\u0308.html',
    '__proto__',
    'constructor.html',
  ]

  test('restores bytes and headers: of gzip, of files with rules, and of odd names', async () => {
    const text = 'a'.repeat(2000)
    const gzipped = { ...noCache, ContentEncoding: 'gzip' }
    const zipped = (content: string): HashedFile => {
      const bytes = gzipSync(content)
      const stored = fileOf('page.html', 'html', content, gzipped)
      const [sha256, md5] = [hash('sha256', bytes), hash('md5', bytes)]
      return { ...stored, original: stored.sha256, sha256, md5, size: bytes.length, content: bytes }
    }
    const ruled = {
      CacheControl: 'max-age=60',
      ContentLanguage: 'de',
      Metadata: { Build: '1', Expires: 'no date' },
      Expires: new Date(0),
    }
    const version = (name: string, parameters = noCache) => [
      ...site(name),
      zipped(text + name),
      ...odd.map((path) => fileOf(path, path.endsWith('.html') ? 'html' : 'asset', `${path} ${name}`, parameters)),
      fileOf('same.txt', 'asset', 'the same bytes', parameters),
    ]
    await deploy('1', { files: version('1', ruled) })
    const before = pages()
    await deploy('2', { files: version('2') })
    expect(pages()).not.toEqual(before)
    await start('activate', { of: 1 })
    expect(pages().sort()).toEqual(before.sort())
    expect(bucket.objects.get('static/same.txt')?.parameters.Expires).toEqual(ruled.Expires)
    const [first, third] = await Promise.all([recordOfRelease(1), recordOfRelease(3)])
    expect(third.objects.get('page.html')?.original).toBe(hash('sha256', `${text}1`))
    const facts = ({ objects }: ReleaseRecord) =>
      [...objects]
        .filter(([, { release }]) => release !== 2)
        .map(([path, { sha256, headers }]) => [path, sha256, headers])
    expect(new Set(facts(third).map(String))).toEqual(new Set(facts(first).map(String)))
    // The same build has nothing to do.
    expect(await deploy('1', { files: version('1', ruled) })).toMatchObject({ release: undefined })
  })

  test('waits for a deploy under way, and the end is the release that it restores', async () => {
    await deploy('1')
    await deploy('2')
    let goOn = () => {}
    let isThere = () => {}
    const gate = new Promise<void>((resolve) => (goOn = resolve))
    const atGate = new Promise<void>((resolve) => (isThere = resolve))
    const put: Bucket['put'] = async (key, ...rest) => {
      if (key.endsWith('index.html')) isThere()
      if (key.endsWith('index.html')) await gate
      return bucket.put(key, ...rest)
    }
    const slow = deploy('3', { from: { ...bucket, put } })
    await atGate
    const back = start('rollback and hold')
    setTimeout(goOn, 200)
    expect(await slow).toMatchObject({ release: 3 })
    expect(await back).toMatchObject({ release: 5 })
    expect((await recordOfRelease(5)).activated).toBe(1)
    expect(pages().join()).toContain(Buffer.from('<title>1</title>').toString('base64'))
    expect(pages().join()).toContain(Buffer.from('<svg>1</svg>').toString('base64'))
  })

  test('that is stopped says what visitors see, gives its lock up, and a second one ends it', async () => {
    await deploy('1')
    await deploy('2')
    const begun = new AbortController()
    const copy: Bucket['copy'] = async (from, to, ...rest) => {
      const written = await bucket.copy(from, to, ...rest)
      begun.abort(new StaticS3Error('static-s3: stopped by SIGINT.'))
      return written
    }
    const stop = { begun: begun.signal, cut: new AbortController().signal }
    expect(await failureOf(start('rollback and hold', { from: { ...bucket, copy }, stop }))).toMatch(
      /^static-s3: stopped by SIGINT\.\nThe old pages stand; 1 file without a fingerprint is new\. 1 of 2 files.*\nDeploys are held now/,
    )
    expect([recordCount(), lockOf(4)]).toEqual([3, 0])
    expect(await deploy('3')).toMatchObject({ staged: { by: expect.stringContaining('rollback and hold') } })
    expect(await start('rollback and hold')).toMatchObject({ release: 7 })
    expect(await deploy('3')).toMatchObject({ staged: { by: expect.stringContaining('rollback and hold') } })
  })
})

describe('the release before', () => {
  const before = async (live: number) => (await releaseBefore(bucket, location, live)).release

  test('an activated staged release is the one that visitors saw until then', async () => {
    await deploy('1')
    await stage('2')
    await deploy('3')
    await start('activate', { of: 2 })
    expect(await before(4)).toBe(3)
  })

  test('one that was restored twice is the one before its first time', async () => {
    for (const version of ['1', '2', 'bad']) await deploy(version)
    await start('rollback')
    await deploy('worse')
    await start('rollback')
    expect((await recordOfRelease(6)).activated).toBe(4)
    expect(await before(6)).toBe(1)
    // Its record may be gone.
    bucket.objects.delete(recordKey(folder, 2))
    expect(await before(6)).toBe(1)
  })
})

describe('the release before, among those of two projects', () => {
  test('is of the live release’s project', async () => {
    for (const [version, project] of Object.entries({ 1: 'shop', 2: 'app', 3: 'shop' }))
      await deploy(version, { project })
    expect((await releaseBefore(bucket, location, 3)).release).toBe(1)
    expect(await failureOf(releaseBefore(bucket, location, 2))).toBe(
      'static-s3: static has no release before release 2 of the project "app": static-s3 releases lists all',
    )
  })
})

describe('a record of many objects', () => {
  const many = (count: number, prefix: string, release: number, fingerprinted = true) =>
    Array.from({ length: count }, (_, i) => recorded(`${prefix}/${i}.js`, { release, fingerprinted }))
  const objects = [...many(20_500, 'assets/live', 9), ...many(600, 'assets/old', 3), ...many(10, 'pages', 2, false)]

  function carriedOut(kind: CarriedOut['kind'], files: HashedFile[] = []): CarriedOut {
    const listing = new Map(
      objects.map(([path, { etag, size, writtenAt }]) => {
        const key = `${location}/${path}`
        return [key, { key, etag, size, lastModified: writtenAt }]
      }),
    )
    const last = {
      ...{ id: 'id', by: 'ada', commit: undefined, bundler: 'vite', at: new Date(0) },
      release: 9,
      live: 9,
    }
    const record = { ...last, conditionalWrites: true, splitAt: [], objects: new Map(objects) }
    const survey = { listing, record, backups: new Map(), folder: undefined, takenAt: 0, warnings: [] }
    const decisions = files.map((file) => ({ file, action: 'skip' as const, reason: 'unchanged' as const }))
    const plan = { decisions, overwritten: [], backups: [], notBefore: 0 }
    const deployer = { id: 'id', by: 'ada', commit: undefined, bundler: 'vite' }
    return { location, deployer, plan, survey, written: new Map(), backups: undefined, kind, hold: undefined }
  }
  const lock = { release: 10, conditionalWrites: true }

  it('has all of the live release, whether a staged one or a hold makes it', () => {
    for (const kind of ['staged', 'none'] as const) {
      const made = recordOf(carriedOut(kind), lock)
      expect(made.live).toBe(9)
      expect(releasedIn(made.objects, 9).size).toBe(20_500)
    }
  })

  it('has all that an activation makes live, and as many earlier ones as there is room for', () => {
    const files = many(600, 'assets/old', 3).map(([path]) => planned(path, { group: 'fingerprinted' }))
    const made = recordOf(carriedOut('live', files), lock)
    expect(releasedIn(made.objects, 10).size).toBe(600)
    expect(made.objects.size).toBe(20_600)
    // A prune must know each page, however old it is.
    expect(releasedIn(made.objects, 2).size).toBe(10)
  })
})

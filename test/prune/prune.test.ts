import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type MemoryBucket, memoryBucket, tagsOf } from '../../fixtures/bucket/memory-bucket.js'
import { Random, turn } from '../../fixtures/release/interleaving.js'
import { type Deploy, Scene } from '../../fixtures/release/scene.js'
import { contents, fileOf, location, siteOf } from '../../fixtures/release/versions.js'
import type { Bucket } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { pruneAfterRelease } from '../../src/prune/after-release.js'
import { type Pruned, type PruneInput, prune } from '../../src/prune/prune.js'
import { filesOf } from '../../src/release/records/record.js'
import { listBackups } from '../../src/release/records/releases-folder.js'
import { type ReleaseInput, release } from '../../src/release/release.js'
import { setHold } from '../../src/release/set-hold.js'
import { takeSurvey } from '../../src/release/survey.js'
import {
  listReleases,
  readRelease,
  releaseBefore,
  releasedFiles,
  withSources,
} from '../../src/restore/restored-release.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import type { Settings } from '../../src/settings/settings.js'

vi.mock('node:zlib', async () => (await import('../../fixtures/release/one-turn.js')).zlib)
vi.mock('node:timers/promises', async () => (await import('../../fixtures/release/one-turn.js')).timers)

const settings = {
  ...{ activate: true, location, concurrency: 2, lockTimeout: 600, objectParameters: {} },
  ...{ force: false, fileOverwrite: true, dryRun: false },
} as unknown as Settings

const deployerOf = (id: string) => ({ id, by: id, commit: undefined, bundler: 'none', project: 'app' })

async function deploy(bucket: Bucket, files: HashedFile[], more: Partial<ReleaseInput> = {}) {
  const survey = await takeSurvey(bucket, location)
  const deployer = async () => deployerOf(crypto.randomUUID())
  const quiet = { warn: () => {}, onProgress: () => {}, onWait: () => {} }
  return release({ files, survey, bucket, deployer, settings, ...quiet, ...more })
}

async function activate(bucket: Bucket, number: number) {
  const record = await readRelease(bucket, location, number)
  const survey = await takeSurvey(bucket, location)
  const backups = await listBackups(bucket, location)
  const { files, problems } = withSources(releasedFiles(record, location), record, location, survey, backups)
  expect(problems, `of release ${number}`).toEqual([])
  return deploy(bucket, files, { activation: { of: number } })
}

const pruneIn = (bucket: Bucket, more: Partial<PruneInput> = {}): Promise<Pruned> =>
  prune({
    ...{ bucket, settings, deployer: deployerOf(crypto.randomUUID()), retention: { releases: 3, days: 0 } },
    ...{ unreferenced: false, maxDelete: 1000, warn: () => {}, onWait: () => {}, ...more },
  })

const hold = (bucket: Bucket, reason: string | undefined) =>
  setHold({
    ...{ bucket, settings, deployer: deployerOf('hold'), reason },
    ...{ checkLast() {}, warn: () => {}, onWait: () => {} },
  })

const page = (path: string, text: string) => fileOf(path, 'html', text, {})
const script = (text: string) => fileOf(`assets/${text}.js`, 'fingerprinted', text, {})
/** A site of a page, a script that all versions have, and one of its own. */
const version = (n: number) => [page('index.html', `page ${n}`), script('shared'), script(`own-${n}`)]

const copyOf = (bucket: MemoryBucket): MemoryBucket => {
  const copy = memoryBucket()
  for (const [key, object] of bucket.objects) copy.objects.set(key, object)
  for (const [key, time] of bucket.written) copy.written.set(key, time)
  return copy
}
const site = ({ objects }: MemoryBucket) => [...objects.keys()].filter((key) => key.startsWith('static/')).sort()
const textOf = ({ objects }: MemoryBucket, path: string) => `${objects.get(`static/${path}`)?.bytes}`
const records = async (bucket: Bucket) => (await listReleases(bucket, location)).records.map((record) => record.release)

const tagged = ({ objects }: MemoryBucket) =>
  [...objects].filter(([, object]) => tagsOf(object)['static-s3'] === 'expired').map(([key]) => key)
/** A lifecycle rule. */
function expire(bucket: MemoryBucket): void {
  for (const key of tagged(bucket)) bucket.objects.delete(key)
}

describe('a prune', () => {
  let bucket: MemoryBucket

  beforeEach(async () => {
    // Past times: what the tests write beside the deploys is newer.
    bucket = memoryBucket({ now: () => Date.now() - 1_000_000 })
    for (let n = 1; n <= 6; n++) await deploy(bucket, version(n))
  })

  it('deletes what a dry run announces, and every kept release can be restored', async () => {
    const before = copyOf(bucket)
    const dry = await pruneIn(bucket, { settings: { ...settings, dryRun: true } })
    expect(copyOf(bucket).objects).toEqual(before.objects)
    expect(bucket.log.filter((line) => line.startsWith('delete'))).toEqual([])
    const done = await pruneIn(bucket)
    expect({ ...done, survey: dry.survey, release: undefined }).toEqual({ ...dry, survey: dry.survey })
    const freed = [...before.objects.keys()].filter((key) => !bucket.objects.has(key))
    expect(freed.sort()).toEqual(
      [...done.objects.flat(), ...done.backups, ...done.records].map(({ key }) => key).sort(),
    )
    expect(site(bucket)).toEqual(
      ['assets/own-4.js', 'assets/own-5.js', 'assets/own-6.js', 'assets/shared.js', 'index.html'].map(
        (path) => `static/${path}`,
      ),
    )
    expect(done).toMatchObject({ kept: [6, 5, 4], expired: [3, 2, 1], release: 7 })
    expect(done.backups).toHaveLength(3)
    expect(await records(bucket)).toEqual([7, 6, 5, 4])
    // Numbers stay taken.
    expect((await listReleases(bucket, location)).locks).toHaveLength(7)
    expect(await pruneIn(bucket)).toMatchObject({ release: undefined, expired: [] })
    expect((await deploy(bucket, version(6))).release).toBeUndefined()
    for (const n of [4, 5]) {
      await activate(bucket, n)
      expect(textOf(bucket, 'index.html')).toBe(`page ${n}`)
    }
  })

  it('goes on after a crash at each request, and the next deploy is right', async () => {
    const whole = copyOf(bucket)
    await pruneIn(whole)
    for (let crashAt = 1; ; crashAt++) {
      const crashed = copyOf(bucket)
      let requests = 0
      const dies = <T>(request: () => Promise<T>): Promise<T> =>
        ++requests < crashAt ? request() : Promise.reject(new StaticS3Error('static-s3: crash'))
      const dying: Bucket = {
        ...crashed,
        put: (...all) => dies(() => crashed.put(...all)),
        delete: (...all) => dies(() => crashed.delete(...all)),
      }
      const outcome = await pruneIn(dying).catch((error: Error) => error.message)
      if (typeof outcome !== 'string') break
      const ago = Date.now() - 100_000
      // The lock has expired.
      for (const [key] of crashed.written) if (key.endsWith('.lock')) crashed.written.set(key, ago)
      for (const path of ['index.html', 'assets/own-6.js', 'assets/shared.js'])
        expect(crashed.objects.get(`static/${path}`), path).toEqual(bucket.objects.get(`static/${path}`))
      const next = copyOf(crashed)
      await deploy(next, version(2))
      for (const { key, sha256 } of version(2)) expect(next.objects.get(key)?.bytes).toEqual(contents.get(sha256))
      const { release: number = 0 } = await deploy(next, version(3))
      for (const [, { fingerprinted, sha256 }] of filesOf(await readRelease(next, location, number)))
        if (!fingerprinted) expect(next.objects.has(`.static-s3/static/objects/${sha256}`)).toBe(true)

      await pruneIn(crashed)
      expect(site(crashed)).toEqual(site(whole))
      expect(await listBackups(crashed, location)).toEqual(await listBackups(whole, location))
      expect((await records(crashed)).filter((each) => each <= 6)).toEqual([6, 5, 4])
      for (const n of [4, 5]) await activate(crashed, n)
    }
  })

  it('reports the deleted objects, and none that had changed or was gone already', async () => {
    // The HEAD request of a page comes before another tool's write, and that of a copy after another tool's deletion.
    const changed = 'static/assets/own-1.js'
    const [{ sha256: gone }] = version(1) as [HashedFile]
    bucket.objects.delete('static/assets/own-2.js')
    const head: Bucket['head'] = async (key, ...rest) => {
      const shown = await bucket.head(key, ...rest)
      if (key === changed) bucket.objects.set(key, { bytes: Buffer.from('theirs'), parameters: {} })
      return key.endsWith(gone) ? undefined : shown
    }
    const { objects, backups, records, release } = await pruneIn({ ...bucket, head })
    expect(objects.flat().map(({ key }) => key)).toEqual(['static/assets/own-3.js'])
    expect([backups.length, records.length, release]).toEqual([2, 3, 7])
    expect(textOf(bucket, 'assets/own-1.js')).toBe('theirs')
  })

  it('leaves objects of other tools, adopted ones and other locations alone', async () => {
    const put = (key: string, text: string) =>
      bucket.objects.set(key, { bytes: Buffer.from(text), parameters: {} }) && bucket.written.set(key, bucket.now())
    const theirs = [
      'static/foreign.js',
      'static-admin/x.js',
      '.static-s3/static/objects/readme',
      '.static-s3/static-admin/objects/x',
    ]
    for (const key of theirs) put(key, 'theirs')
    put('static/assets/adopted.js', 'adopted')
    put('static/admin/assets/inner.js', 'inner')
    await deploy(bucket, [
      ...version(7),
      script('adopted'),
      fileOf('admin/assets/inner.js', 'fingerprinted', 'inner', {}),
    ])
    put('static/assets/own-6.js', 'replaced by another tool')
    bucket.written.set('static/assets/own-6.js', Date.now())
    await deploy(bucket, [script('theirs')], { settings: { ...settings, location: 'static/admin' } })
    for (const n of [8, 9, 10]) await deploy(bucket, version(n))
    await pruneIn(bucket)
    const stay = [...theirs, 'static/assets/adopted.js', 'static/admin/assets/inner.js', 'static/assets/own-6.js']
    expect(stay.filter((key) => !bucket.objects.has(key))).toEqual([])
    expect(site(bucket)).not.toContain('static/assets/own-7.js')
  })

  it('keeps the files of an unreferenced page, and --unreferenced deletes both', async () => {
    const bare = memoryBucket()
    await deploy(bare, [...version(1), page('old.html', 'needs own-1'), fileOf('app.js.map', 'asset', 'a map', {})])
    for (let n = 2; n <= 5; n++) await deploy(bare, version(n))
    const done = await pruneIn(bare, { retention: { releases: 1, days: 0 } })
    expect(done.unreferenced.map(({ key }) => key)).toEqual(['static/old.html', 'static/app.js.map'])
    expect(site(bare).filter((key) => key.includes('own'))).toEqual([
      'static/assets/own-1.js',
      'static/assets/own-5.js',
    ])
    expect(done.kept).toEqual([5, 1])
    await pruneIn(bare, { retention: { releases: 1, days: 0 }, unreferenced: true })
    expect(site(bare)).toEqual(['assets/own-5.js', 'assets/shared.js', 'index.html'].map((path) => `static/${path}`))
    expect(await records(bare)).toEqual([7, 6, 5])
  })

  it('deletes with --unreferenced what only an earlier kept release has, which can still be restored', async () => {
    await deploy(bucket, [...version(7), fileOf('app.js.map', 'asset', 'a map', {})])
    await deploy(bucket, version(8))
    await pruneIn(bucket, { unreferenced: true })
    expect(site(bucket)).not.toContain('static/app.js.map')
    await activate(bucket, 7)
    expect(textOf(bucket, 'app.js.map')).toBe('a map')
  })

  it('keeps what a staged release needs', async () => {
    await deploy(bucket, [...version(2), page('new.html', 'staged')], { settings: { ...settings, activate: false } })
    await pruneIn(bucket, { retention: { releases: 1, days: 0 } })
    await activate(bucket, 7)
    expect(textOf(bucket, 'assets/own-2.js')).toBe('own-2')
    expect(textOf(bucket, 'new.html')).toBe('staged')
  })

  it('keeps what a deploy between its survey and its lock restored', async () => {
    let isFirst = true
    const put: Bucket['put'] = async (key, ...rest) => {
      if (isFirst) {
        isFirst = false
        await deploy(bucket, version(1))
      }
      return bucket.put(key, ...rest)
    }
    const done = await pruneIn({ ...bucket, put })
    expect(done).toMatchObject({ kept: [7, 6, 5], expired: [4, 3, 2, 1] })
    expect(site(bucket).filter((key) => key.includes('own'))).toEqual([
      'static/assets/own-1.js',
      'static/assets/own-5.js',
      'static/assets/own-6.js',
    ])
  })

  it('may run between the survey of a deploy or an activation and its lock', async () => {
    const survey = await takeSurvey(bucket, location)
    const record = await readRelease(bucket, location, 1)
    const pruned = copyOf(bucket)
    await pruneIn(pruned)
    await deploy(pruned, version(1), { survey })
    for (const { key, sha256 } of version(1)) expect(pruned.objects.get(key)?.bytes).toEqual(contents.get(sha256))
    expect(pruned.objects.has(`.static-s3/static/objects/${version(1)[0]?.sha256}`)).toBe(true)

    const { files } = withSources(
      releasedFiles(record, location),
      record,
      location,
      survey,
      await listBackups(bucket, location),
    )
    const between = copyOf(bucket)
    await pruneIn(between)
    const surveys: unknown[] = []
    const checkSurvey = (each: unknown) => {
      surveys.push(each)
      if (each !== survey) throw new StaticS3Error('static-s3: not there any more')
    }
    const activation = { survey, activation: { of: 1 }, checkSurvey }
    await expect(deploy(between, files, activation)).rejects.toThrow(/not there any more\nThe site stands as it was/)
    expect(surveys).toHaveLength(2)
    expect(textOf(between, 'index.html')).toBe('page 6')
  })

  it('takes builds of one run for one release', async () => {
    const bare = memoryBucket()
    const admin = [page('admin.html', 'admin'), script('admin')]
    await deploy(bare, admin)
    for (const n of [1, 2]) {
      // The first build of each run has not changed.
      const has = (key: string) => [...admin, ...version(n)].some((file) => file.key === key)
      await deploy(bare, version(n), { runPart: { id: `run ${n}`, isLast: true, has } })
    }
    expect([...filesOf(await readRelease(bare, location, 3)).keys()].sort()).toEqual([
      'admin.html',
      'assets/admin.js',
      'assets/own-2.js',
      'assets/shared.js',
      'index.html',
    ])
    await pruneIn(bare, { retention: { releases: 1, days: 0 }, unreferenced: true })
    expect(site(bare)).toEqual(expect.arrayContaining(['static/admin.html', 'static/assets/admin.js']))
  })

  it('refuses more deletions than a quarter of the recorded objects, unless allowed', async () => {
    for (let n = 7; n <= 20; n++) await deploy(bucket, version(n))
    const before = copyOf(bucket).objects
    await expect(pruneIn(bucket, { maxDelete: undefined })).rejects.toThrow(
      /17 objects would be deleted \(static\/assets\/own-1.js and 16 more\), and the limit is 10, .*--dry-run.*--max-delete 17\. Nothing was deleted\.$/,
    )
    expect(copyOf(bucket).objects).toEqual(before)
    const dry = await pruneIn(bucket, { maxDelete: undefined, settings: { ...settings, dryRun: true } })
    expect(dry.problem).toContain('17 objects would be deleted')
    // After a release, nobody is there to allow them.
    const retention = { releases: 3, days: 0 }
    const quiet = { warn: () => {}, onWait: () => {}, deployer: async () => deployerOf('build') }
    const after = await pruneAfterRelease({ bucket: copyOf(bucket), settings: { ...settings, retention }, ...quiet })
    expect(after?.objects.flat()).toHaveLength(17)
    expect((await pruneIn(bucket, { maxDelete: 17 })).objects.flat()).toHaveLength(17)
  })

  it('refuses after a deploy that did not end, whose pages may need old files', async () => {
    const put: Bucket['put'] = (key, ...rest) =>
      key.endsWith('b.html') ? Promise.reject(new StaticS3Error('static-s3: no')) : bucket.put(key, ...rest)
    const files = [page('a.html', 'needs own-1'), page('b.html', 'b'), script('own-1')]
    await expect(deploy({ ...bucket, put }, files)).rejects.toThrow('static-s3: no')
    await expect(pruneIn(bucket)).rejects.toThrow(
      /^static-s3: static\/a.html is not as release 6 left it: .* Deploy again/,
    )
    expect(site(bucket)).toContain('static/assets/own-1.js')
    // No hold or prune records these pages.
    for (const reason of ['a reason', undefined]) await hold(bucket, reason)
    await expect(pruneIn(bucket)).rejects.toThrow(/^static-s3: static\/a.html is not as release 6 left it/)
    await deploy(bucket, files)
    expect((await pruneIn(bucket)).release).toBe(11)
    expect(site(bucket)).toContain('static/assets/own-1.js')
  })

  it.each<[what: string, break_: (bucket: MemoryBucket) => void, says: RegExp]>([
    ['without a release', ({ objects }) => objects.clear(), /static has no release yet, so nothing can be pruned/],
    [
      'with a record that it cannot read',
      ({ objects }) =>
        objects.set('.static-s3/static/releases/99999996.json.gz', { bytes: Buffer.from('x'), parameters: {} }),
      /release 3 of static can't be used: .* is damaged/,
    ],
  ])('%s deletes nothing', async (_what, break_, says) => {
    break_(bucket)
    const before = copyOf(bucket).objects
    await expect(pruneIn(bucket)).rejects.toThrow(says)
    expect(copyOf(bucket).objects).toEqual(before)
  })

  it('refuses the location of a sync', async () => {
    const deployer = async () => ({ ...deployerOf('x'), bundler: 'static-s3 sync' })
    await deploy(bucket, version(7), { deployer })
    await expect(pruneIn(bucket)).rejects.toThrow('static-s3 sync DIR --delete')
  })
})

describe('a prune with tags', () => {
  let bucket: MemoryBucket
  const dryRun = { settings: { ...settings, dryRun: true } }

  beforeEach(async () => {
    bucket = memoryBucket({ now: () => Date.now() - 1_000_000 })
    for (let n = 1; n <= 6; n++) await deploy(bucket, version(n))
  })

  const expectWhole = async (from: MemoryBucket, n: number) => {
    for (const { key, sha256 } of version(n)) expect(from.objects.get(key)?.bytes, key).toEqual(contents.get(sha256))
  }

  it('tags what it would delete, pages first and records last, and changes nothing else', async () => {
    await deploy(bucket, [...version(6), page('gone.html', 'gone')])
    await deploy(bucket, version(7))
    const before = copyOf(bucket)
    const input = { unreferenced: true, tag: true }
    const plan = await pruneIn(bucket, { ...input, ...dryRun })
    expect(tagged(bucket)).toEqual([])
    const all = [...plan.objects.flat(), ...plan.backups, ...plan.records].map(({ key }) => key)
    const { objects, backups, records, release, expired } = await pruneIn(bucket, input)
    expect({ objects, backups, records, expired }).toEqual({
      ...{ objects: plan.objects, backups: plan.backups, records: plan.records, expired: plan.expired },
    })
    expect(release).toBe(10)
    expect(tagged(bucket).sort()).toEqual([...all].sort())
    const order = bucket.log.flatMap((line) => (/^tag .*(?<!lock)$/.test(line) ? [line.slice(4)] : []))
    expect(order).toHaveLength(all.length)
    expect(order[0]).toBe('static/gone.html')
    expect(order.slice(-5).every((key) => key.endsWith('.json.gz'))).toBe(true)
    expect(bucket.log.filter((line) => line.startsWith('delete'))).toEqual([])
    for (const [key, { bytes }] of before.objects) expect(bucket.objects.get(key)?.bytes, key).toEqual(bytes)

    const log = bucket.log.length
    expect(await pruneIn(bucket, input)).toMatchObject({ release: undefined, expired: [], records: [] })
    expect(bucket.log.slice(log)).toEqual([])
    // These releases are not there any more.
    const record = await readRelease(bucket, location, 10)
    expect((await releaseBefore(bucket, location, record.live, record.expired)).release).toBe(7)
    await expect(releaseBefore(bucket, location, 6, record.expired)).rejects.toThrow('no release before')
    const survey = await takeSurvey(bucket, location)
    const old = await readRelease(bucket, location, 2)
    const stored = await listBackups(bucket, location)
    expect(withSources(releasedFiles(old, location), old, location, survey, stored).problems).toEqual([
      'assets/own-2.js has expired: a lifecycle rule may delete it',
      'index.html has expired: a lifecycle rule may delete it',
    ])
    for (const between of [true, false]) {
      if (between) expire(bucket)
      for (const n of [7]) await activate(bucket, n)
    }
    await expectWhole(bucket, 6)
  })

  it.each([
    'live',
    'staged',
    'with other headers',
    'without the right to see tags',
    'after a crash',
    'without a record',
  ])('a release that needs tagged files writes them again: %s', async (how) => {
    await pruneIn(bucket, { tag: true })
    const head: Bucket['head'] = async (...all) => {
      const shown = await bucket.head(...all)
      return shown && { ...shown, tags: undefined }
    }
    const seen = how === 'without the right to see tags' ? { ...bucket, head } : bucket
    const other = how === 'with other headers' ? { CacheControl: 'no-cache' } : {}
    const files = version(2).map((file) => ({ ...file, parameters: { ...file.parameters, ...other } }))
    if (how === 'without a record')
      for (const name of ['99999991', '99999992'])
        bucket.objects.set(`.static-s3/static/releases/${name}.json.gz`, { bytes: Buffer.from('x'), parameters: {} })
    if (how === 'after a crash') {
      const put: Bucket['put'] = (key, ...rest) =>
        key.endsWith('.html') ? Promise.reject(new StaticS3Error('static-s3: no')) : bucket.put(key, ...rest)
      await expect(deploy({ ...bucket, put }, files)).rejects.toThrow('static-s3: no')
    }
    if (how === 'staged') await deploy(bucket, files, { settings: { ...settings, activate: false } })
    else await deploy(seen, files)
    const key = `.static-s3/static/objects/${version(2)[0]?.sha256}`
    expect(tagged(bucket)).not.toContain(key)
    expire(bucket)
    const number = (await records(bucket))[0] as number
    await activate(bucket, number)
    await expectWhole(bucket, 2)
    expect(bucket.objects.has(key)).toBe(true)
    // All that is there counts again.
    expect((await deploy(bucket, files)).release).toBeUndefined()
  })

  it('never loses a file that a deploy needs, after a crash at each request', async () => {
    const whole = copyOf(bucket)
    await pruneIn(whole, { tag: true })
    for (let crashAt = 1; ; crashAt++) {
      const crashed = copyOf(bucket)
      let requests = 0
      const dies = <T>(request: () => Promise<T>): Promise<T> =>
        ++requests < crashAt ? request() : Promise.reject(new StaticS3Error('static-s3: crash'))
      const dying: Bucket = {
        ...crashed,
        put: (...all) => dies(() => crashed.put(...all)),
        tag: (...all) => dies(() => crashed.tag(...all)),
      }
      const outcome = await pruneIn(dying, { tag: true }).catch((error: Error) => error.message)
      const ago = Date.now() - 100_000
      for (const [key] of crashed.written) if (key.endsWith('.lock')) crashed.written.set(key, ago)
      const next = copyOf(crashed)
      await deploy(next, version(2))
      expire(next)
      await expectWhole(next, 2)
      const { release: last = 0 } = await deploy(next, version(3))
      expire(next)
      await expectWhole(next, 3)
      await activate(next, last - 1)
      await expectWhole(next, 2)
      // A second one goes on.
      await pruneIn(crashed, { tag: true })
      expect(tagged(crashed).sort()).toEqual(tagged(whole).sort())
      if (typeof outcome !== 'string') break
    }
  })

  it('changes nothing where objects cannot be tagged', async () => {
    const tag = () => Promise.reject(new StaticS3Error('static-s3: NotImplemented'))
    await expect(pruneIn({ ...bucket, tag }, { tag: true })).rejects.toThrow('NotImplemented')
    expect(await records(bucket)).toEqual([6, 5, 4, 3, 2, 1])
    expect((await pruneIn(bucket, dryRun)).expired).toEqual([3, 2, 1])
  })

  it('leaves what a prune without tags deletes', async () => {
    const deleted = copyOf(bucket)
    await pruneIn(deleted)
    await pruneIn(bucket, { tag: true })
    await pruneIn(bucket)
    expect(site(bucket)).toEqual(site(deleted))
    expect(await listBackups(bucket, location)).toEqual(await listBackups(deleted, location))
    expect((await records(bucket)).filter((each) => each <= 6)).toEqual([6, 5, 4])
    expect((await takeSurvey(bucket, location)).record?.expired).toBeUndefined()
  })

  it('tags no object that was written between its plan and its tags', async () => {
    let isFirst = true
    const tag: Bucket['tag'] = async (key, ...rest) => {
      if (isFirst && key.startsWith('static/')) {
        isFirst = false
        for (const own of ['static/assets/own-1.js', 'static/assets/own-2.js', 'static/assets/own-3.js'])
          if (own !== key) bucket.objects.set(own, { bytes: Buffer.from('theirs'), parameters: {} })
      }
      return bucket.tag(key, ...rest)
    }
    const { objects } = await pruneIn({ ...bucket, tag }, { tag: true, settings: { ...settings, concurrency: 1 } })
    expect(objects.flat()).toHaveLength(1)
    expect(tagged(bucket).filter((key) => key.startsWith('static/'))).toHaveLength(1)
  })
})

describe('next to a deploy', () => {
  beforeEach(() => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
      now: Date.UTC(2026, 0, 1),
    })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('waits for it, and judges what it left', async () => {
    const scene = new Scene(new Random(1))
    for (const n of [1, 2, 3, 4]) await scene.whole(`before ${n}`, siteOf(n))
    const before = scene.bucket.objects.get('static/index.html')
    const running = scene.start('running', siteOf(5))
    await scene.until(() => scene.bucket.objects.get('static/index.html') !== before)
    const dryRun = { settings: { ...settings, dryRun: true } }
    expect(await pruneIn(scene.bucket, dryRun)).toMatchObject({ isDeployRunning: true, problem: undefined })
    const waits: string[] = []
    let outcome: Pruned | Error | undefined
    const retention = { releases: 1, days: 0 }
    const onWait = (whom: string) => waits.push(whom)
    pruneIn(scene.network.connect('prune').bucket, { deployer: deployerOf('prune'), retention, onWait }).then(
      (pruned) => (outcome = pruned),
      (error: Error) => (outcome = error),
    )
    await scene.until(
      () => waits.length > 0,
      ({ by }) => by === 'running',
    )
    // Newer than the release that stood until now.
    scene.bucket.objects.set('static/theirs.txt', { bytes: Buffer.from('theirs'), parameters: {} })
    scene.bucket.written.set('static/theirs.txt', scene.bucket.now())
    await scene.until(() => outcome !== undefined)
    expect(running.outcome).toBe('ended')
    expect(outcome).toMatchObject({ kept: [5], expired: [4, 3, 2, 1], release: 6, isDeployRunning: false })
    expect(await pruneIn(scene.bucket, dryRun)).toMatchObject({ isDeployRunning: false })
  })

  const schedules = Number(process.env.SCHEDULES ?? 50) / 5
  it(`in ${schedules} random schedules with tags, no page misses a file after any request, and all kept releases are whole`, async () => {
    let tags = 0
    for (let seed = 1; seed <= schedules; seed++) {
      const random = new Random(seed)
      const scene = new Scene(random)
      for (const n of [1, 2, 3, 4]) await scene.whole(`before ${n}`, siteOf(n))
      // Old files come back, which the prune is about to delete.
      const running: Deploy = scene.start('running', siteOf(random.between(1, 5)), {
        building: random.between(0, 3000),
      })
      let favoured = random.pick(['running', 'prune'])
      let outcome: Pruned | Error | undefined
      pruneIn(scene.network.connect('prune').bucket, {
        deployer: deployerOf('prune'),
        tag: true,
        retention: { releases: random.between(1, 2), days: 0 },
        unreferenced: random.chance(0.5),
      }).then(
        (pruned) => (outcome = pruned),
        (error: Error) => (outcome = error),
      )
      for (let step = 0; running.outcome === 'under way' || outcome === undefined; step++) {
        if (step > 5000) throw new Error(`seed ${seed} never ends`)
        await turn()
        const { held } = scene.network
        // One may be through before the other one goes on.
        if (random.chance(0.05)) favoured = random.pick(['running', 'prune'])
        const first = held.filter(({ by }) => by === favoured)
        if (held.length > 0) await scene.advance(random.pick(first.length > 0 ? first : held))
        else await scene.pass(100)
        if (random.chance(0.05)) {
          expire(scene.bucket)
          scene.readAll()
        }
      }
      const where = `seed ${seed}\n${scene.describe()}`
      if (outcome instanceof Error) throw new Error(`${outcome.message}\n${where}`)
      tags += outcome.objects.flat().length
      expect(running.outcome, where).toBe('ended')
      scene.checkSite(running)
      const { objects } = scene.bucket
      expire(scene.bucket)
      scene.readAll()
      for (const { release: number } of (await listReleases(scene.bucket, location)).records) {
        const record = await readRelease(scene.bucket, location, number)
        const backups = await listBackups(scene.bucket, location)
        const survey = await takeSurvey(scene.bucket, location)
        const { problems } = withSources(releasedFiles(record, location), record, location, survey, backups)
        expect(problems, `release ${number}, ${where}`).toEqual([])
      }
      expect(objects.has('static/index.html')).toBe(true)
    }
    expect(tags).toBeGreaterThan(0)
  })
})

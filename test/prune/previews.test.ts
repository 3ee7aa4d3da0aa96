import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { fileOf } from '../../fixtures/release/versions.js'
import { type Bucket, bodyOfBytes, type ListOptions } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { previewName } from '../../src/previews/preview-name.js'
import { type PrunePreviewsInput, prunePreviews } from '../../src/prune/previews.js'
import { readReleases, recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'
import { type ReleaseInput, release } from '../../src/release/release.js'
import { setHold } from '../../src/release/set-hold.js'
import { takeSurvey } from '../../src/release/survey.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import type { Settings } from '../../src/settings/settings.js'

vi.mock('node:zlib', async () => (await import('../../fixtures/release/one-turn.js')).zlib)
vi.mock('node:timers/promises', async () => (await import('../../fixtures/release/one-turn.js')).timers)

const day = 24 * 60 * 60 * 1000
const template = 'previews/[branch]'
const quiet = { warn: () => {}, onProgress: () => {}, onWait: () => {} }

const settingsOf = (location: string) =>
  ({
    ...{ activate: true, location, concurrency: 2, lockTimeout: 600, objectParameters: {} },
    ...{ force: false, fileOverwrite: true, dryRun: false },
  }) as unknown as Settings

const at = (location: string, files: HashedFile[]) =>
  files.map((file) => ({ ...file, key: `${location}/${file.path}` }))
/** A page, a script that all versions have, and one of its own. */
const version = (n: number) => [
  fileOf('index.html', 'html', `page ${n}`, {}),
  fileOf('assets/shared.js', 'fingerprinted', 'shared', {}),
  fileOf(`assets/own-${n}.js`, 'fingerprinted', `own ${n}`, {}),
]

interface From {
  branch?: string | undefined
  template?: string | undefined
}

async function deploy(
  bucket: Bucket,
  location: string,
  from: From | undefined,
  n = 1,
  more: Partial<ReleaseInput> = {},
) {
  const survey = more.survey ?? (await takeSurvey(bucket, location))
  const id = crypto.randomUUID()
  const preview = from && { template, branch: undefined, ...from }
  const deployer = async () => ({ id, by: id, commit: undefined, bundler: 'none', project: 'app', preview })
  const files = at(location, version(n))
  return release({ files, survey, bucket, deployer, settings: settingsOf(location), ...quiet, ...more })
}

/** A deploy of the branch's preview. */
const preview = (bucket: Bucket, branch: string, n?: number, more?: Partial<ReleaseInput>) =>
  deploy(bucket, `previews/${previewName(branch)}`, { branch }, n, more)

const pruneIn = (
  bucket: Bucket,
  { dryRun = false, ...more }: Partial<PrunePreviewsInput> & { dryRun?: boolean } = {},
) =>
  prunePreviews({
    ...{ bucket, template, deployer: { id: crypto.randomUUID(), by: 'prune', commit: undefined, bundler: 'none' } },
    ...{ settings: { ...settingsOf('previews/*'), dryRun }, kept: { days: 30, branches: ['main'] } },
    ...{ maxDelete: undefined, ...quiet, ...more },
  })

const keysIn = ({ objects }: MemoryBucket, location: string) =>
  [...objects.keys()]
    .filter((key) => key.startsWith(`${location}/`) || key.startsWith(`.static-s3/${location}/`))
    .sort()
const stateOf = ({ objects }: MemoryBucket) => new Map([...objects].map(([key, { bytes }]) => [key, String(bytes)]))

let ahead: number
let bucket: MemoryBucket
const pass = (time: number) => {
  ahead += time
}

beforeEach(() => {
  ahead = 0
  bucket = memoryBucket({ now: () => Date.now() + ahead, grain: 1000 })
})

const put = (key: string, text: string) => bucket.put(key, bodyOfBytes(Buffer.from(text)), {})

describe('static-s3 prune --previews', () => {
  it('deletes expired previews, and nothing else', async () => {
    await put('previews/theirs/before.txt', 'theirs')
    // The preview takes this object over, because it has its bytes.
    await put('previews/theirs/assets/shared.js', 'shared')
    for (const branch of ['old', 'theirs', 'main', 'kept/name', 'kept/too', 'held', 'locked', 'crashed'])
      await preview(bucket, branch)
    await preview(bucket, 'old', 2)
    const others: [location: string, from?: From][] = [
      // Production where the template begins, with a folder like a branch.
      ['previews'],
      ['static'],
      ['previews-old', { branch: 'old' }],
      // A fixed location whose name fits, and one of another template.
      ['previews/storybook'],
      ['previews/other', { branch: 'other', template: 'previews/[commit]' }],
      ['previews/unknown', {}],
      // Inside a preview.
      ['previews/old/docs', { branch: 'old' }],
      ['previews/old/assets'],
    ]
    for (const [location, from] of others) await deploy(bucket, location, from)
    const hold = { bucket, settings: settingsOf('previews/held'), reason: 'wait', ...quiet }
    const deployer = { id: 'x', by: 'x', commit: undefined, bundler: 'none', preview: { template, branch: 'held' } }
    await setHold({ ...hold, deployer, checkLast: () => {} } as never)
    await put('.static-s3/previews/crashed/releases/99999997.lock', '{}')
    pass(40 * day)
    await preview(bucket, 'recent')
    await put('.static-s3/previews/locked/releases/99999997.lock', '{}')
    await put('previews/theirs/after.txt', 'theirs')
    await put('previews/theirs/assets/own-1.js', 'changed by another tool')
    await put('.static-s3/previews/old/notes.txt', 'theirs')

    const before = stateOf(bucket)
    const kept = { days: 30, branches: ['main', 'kept/name', 'kept--too'] }
    const dry = await pruneIn(bucket, { kept, dryRun: true })
    expect(stateOf(bucket)).toEqual(before)
    const done = await pruneIn(bucket, { kept })
    expect(done.expired).toEqual(dry.expired)
    expect(done.expired.map(({ location, others }) => [location, others])).toEqual([
      ['previews/crashed', 0],
      ['previews/old', 0],
      ['previews/theirs', 4],
    ])
    expect(done.kept.map(([{ location }, why]) => `${location} ${why}`)).toEqual([
      'previews/held held',
      'previews/kept--name branch',
      'previews/kept--too branch',
      'previews/locked being deployed',
      'previews/main branch',
      'previews/recent recent',
      'previews/unknown branch',
    ])
    const after = stateOf(bucket)
    const announced = new Set(
      dry.expired.flatMap(({ files, beside }) => [...files, ...beside].flat().map(({ key }) => key)),
    )
    expect(new Set([...before.keys()].filter((key) => !after.has(key)))).toEqual(announced)
    for (const [key, text] of after)
      if (before.has(key) && !key.endsWith('.lock')) expect(text, key).toBe(before.get(key))
    expect(keysIn(bucket, 'previews/theirs').filter((key) => !key.endsWith('.lock'))).toEqual([
      'previews/theirs/after.txt',
      'previews/theirs/assets/own-1.js',
      'previews/theirs/assets/shared.js',
      'previews/theirs/before.txt',
    ])
    expect(keysIn(bucket, 'previews/crashed').every((key) => key.endsWith('.lock'))).toBe(true)
    // A second one finds nothing, and the branch begins anew with a higher number.
    expect((await pruneIn(bucket, { kept })).expired).toEqual([])
    expect((await preview(bucket, 'old')).release).toBe(4)
  })

  it('of a template with [commit] keeps the newest preview of a kept branch', async () => {
    const commits = 'builds/[commit]'
    for (const [i, branch] of ['main', 'main', 'x', 'x', undefined].entries()) {
      await deploy(bucket, `builds/${'0'.repeat(11)}${i}`, { branch, template: commits })
      pass(day)
    }
    pass(40 * day)
    const { expired } = await pruneIn(bucket, { template: commits })
    expect(expired.map(({ location }) => location.slice(-1))).toEqual(['0', '2', '3'])
  })

  it('with --max-delete deletes all or nothing', async () => {
    for (const branch of ['a', 'b']) await preview(bucket, branch)
    pass(31 * day)
    const before = stateOf(bucket)
    await expect(pruneIn(bucket, { maxDelete: 5 })).rejects.toThrow(
      '6 objects would be deleted, and the limit is --max-delete 5. List them with --dry-run, then allow them with --max-delete 6. Nothing was deleted.',
    )
    expect((await pruneIn(bucket, { maxDelete: 5, dryRun: true })).problem).toContain('6 objects')
    expect(stateOf(bucket)).toEqual(before)
    expect((await pruneIn(bucket, { maxDelete: 6 })).expired).toHaveLength(2)
  })

  it('keeps a preview whose record cannot be read', async () => {
    await preview(bucket, 'a')
    await put(recordKey(releasesFolder('previews/a'), 1), 'damaged')
    pass(31 * day)
    const warn = vi.fn()
    expect((await pruneIn(bucket, { warn })).expired).toEqual([])
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('previews/a is kept: '))
  })

  it('leaves no page without its files after a crash at any request, and a second one continues', async () => {
    const makes = async () => {
      ahead = 0
      bucket.objects.clear()
      bucket.written.clear()
      await preview(bucket, 'a', 1)
      const photos = ['1.png', '2.png'].map((name) => fileOf(name, 'asset', name, {}))
      const files = [...photos, ...version(2)]
      await preview(bucket, 'a', 2, { files: at('previews/a', files) })
      pass(31 * day)
    }
    const missing: string[] = []
    for (let requests = 1; ; requests++) {
      await makes()
      let left = requests
      const dies =
        <T extends unknown[], R>(work: (...args: T) => Promise<R>) =>
        async (...args: T): Promise<R> => {
          // A listing that dies does not wait for it.
          ;(args[1] as ListOptions | undefined)?.splitAt?.catch(() => {})
          if (--left < 0) throw new StaticS3Error('died', { cause: { unanswered: true } })
          return work(...args)
        }
      const { put, copy, head, list, get } = bucket
      const mortal = { ...bucket, put: dies(put), copy: dies(copy), head: dies(head), list: dies(list), get: dies(get) }
      mortal.delete = dies(async (key, options) => {
        await bucket.delete(key, options)
        const standing = keysIn(bucket, 'previews/a')
        const has = (name: string) => standing.includes(`previews/a/${name}`)
        const needs = ['1.png', '2.png', 'assets/own-2.js', 'assets/shared.js']
        if (has('index.html')) missing.push(...needs.filter((name) => !has(name)))
        const [newest] = (await readReleases(bucket, 'previews/a')).records
        if (standing.some((each) => !each.endsWith('.lock')) && newest?.release !== 2) missing.push('record')
      })
      const failed = await pruneIn(mortal).then(
        () => false,
        () => true,
      )
      expect(missing).toEqual([])
      // Each object is checked and deleted, and more.
      if (!failed) return expect(requests).toBeGreaterThan(20)
      pass(120_000)
      await pruneIn(bucket)
      expect(keysIn(bucket, 'previews/a').every((key) => key.endsWith('.lock'))).toBe(true)
      expect(requests).toBeLessThan(100)
    }
  })

  it('next to deploys: one that came first stays, and one that surveyed before uploads all again', async () => {
    await preview(bucket, 'a', 1)
    const survey = await takeSurvey(bucket, 'previews/a')
    pass(31 * day)
    // A deploy between the plan and the lock.
    let came = false
    const list: Bucket['list'] = async (prefix, options) => {
      const listed = await bucket.list(prefix, options)
      if (!came && prefix === 'previews/a/') {
        came = true
        await preview(bucket, 'a', 2)
      }
      return listed
    }
    const { kept, expired } = await pruneIn({ ...bucket, list })
    expect([kept.map(([, why]) => why), expired]).toEqual([['recent'], []])
    expect(bucket.objects.has('previews/a/assets/own-2.js')).toBe(true)

    pass(31 * day)
    const late = await takeSurvey(bucket, 'previews/a')
    expect((await pruneIn(bucket)).expired).toHaveLength(1)
    for (const old of [survey, late]) {
      expect((await preview(bucket, 'a', 2, { survey: old })).release).toBeGreaterThan(3)
      for (const name of ['index.html', 'assets/shared.js', 'assets/own-2.js']) {
        expect(bucket.objects.has(`previews/a/${name}`), name).toBe(true)
      }
      pass(31 * day)
      await pruneIn(bucket)
    }
  })
})

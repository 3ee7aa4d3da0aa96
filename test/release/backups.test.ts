import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { type Bucket, bodyOfBytes } from '../../src/bucket/bucket.js'
import type { Group } from '../../src/files/built-file.js'
import type { HashedFile } from '../../src/files/hash.js'
import { decodeRecord } from '../../src/release/records/format.js'
import { recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'
import { type ReleaseInput, release } from '../../src/release/release.js'
import { takeSurvey } from '../../src/release/survey.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import type { Settings } from '../../src/settings/settings.js'

const settings = {
  activate: true,
  location: 'static',
  concurrency: 4,
  lockTimeout: 10,
  objectParameters: {},
  fileOverwrite: true,
}

type Site = Record<string, string | [group: Group, text: string]>

const filesOf = (site: Site): HashedFile[] =>
  Object.entries(site).map(([path, given]) => {
    const [group, text]: [Group, string] = typeof given === 'string' ? ['html', given] : given
    const content = Buffer.from(text)
    return {
      ...{ path, dir: '/nowhere', key: `static/${path}`, group, parameters: { ContentType: 'text/plain' }, content },
      ...{ size: content.length, md5: hash('md5', content), sha256: hash('sha256', content) },
    }
  })

async function deploy(bucket: Bucket, site: Site, more: Partial<ReleaseInput> = {}) {
  const warnings: string[] = []
  const { release: number } = await release({
    files: filesOf(site),
    survey: await takeSurvey(bucket, 'static'),
    bucket,
    deployer: async () => ({ id: crypto.randomUUID(), by: 'somebody', commit: undefined, bundler: 'none' }),
    settings: settings as unknown as Settings,
    warn: (message) => warnings.push(message),
    onProgress: () => {},
    onWait: () => {},
    ...more,
  })
  return { number, warnings }
}

const folder = '.static-s3/static/objects/'
const backupsIn = ({ objects }: MemoryBucket) =>
  [...objects].flatMap(([key, { bytes }]) => (key.startsWith(folder) ? [[key.slice(folder.length), bytes]] : []))
const textsIn = (bucket: MemoryBucket) => backupsIn(bucket).map(([, bytes]) => `${bytes}`)
const recordIn = async (bucket: Bucket, number = 0) =>
  decodeRecord('static', (await bucket.get(recordKey(releasesFolder('static'), number))) ?? Buffer.alloc(0))
const writesOf = ({ log }: MemoryBucket) =>
  log.splice(0).flatMap((line) => (line.startsWith('end put') ? [line.slice('end put '.length)] : []))

describe('the backups of a release', () => {
  it('have the bytes of each file without a fingerprint, once, and its record names them', async () => {
    const bucket = memoryBucket()
    const site: Site = {
      ...{
        'index.html': 'page',
        '404.html': 'page',
        'robots.txt': ['asset', 'robots'],
        'sw.js': ['service worker', 'sw'],
      },
      ...{ 'a-1.js': ['fingerprinted', 'script'], 'manifest.json': ['manifest', '{}'] },
    }
    const { number } = await deploy(bucket, site)
    expect(textsIn(bucket).sort()).toEqual(['page', 'robots', 'sw', '{}'])
    for (const [name, bytes] of backupsIn(bucket)) expect(name).toBe(hash('sha256', bytes as Buffer))
    const { objects } = await recordIn(bucket, number)
    expect([...objects].map(([path, { backup }]) => [path, backup])).toEqual(
      filesOf(site).map(({ path, group, md5 }) => [path, group === 'fingerprinted' ? undefined : md5]),
    )
    expect(bucket.objects.get(folder + hash('sha256', 'page'))?.parameters).toEqual({
      ContentType: 'application/octet-stream',
      CacheControl: 'no-store',
    })
  })

  it('go up before the first file that visitors see', async () => {
    const bucket = memoryBucket()
    await deploy(bucket, { 'index.html': 'page', 'a.txt': ['asset', 'a'], 'a-1.js': ['fingerprinted', 'script'] })
    const keys = writesOf(bucket).filter((key) => !key.includes('/releases/'))
    expect(keys.slice(0, 3).sort()).toEqual(
      [`${folder}${hash('sha256', 'a')}`, `${folder}${hash('sha256', 'page')}`, 'static/a-1.js'].sort(),
    )
    expect(keys.slice(3)).toEqual(['static/a.txt', 'static/index.html'])
  })

  it('are written once, also if the content comes back later', async () => {
    const bucket = memoryBucket()
    for (const text of ['one', 'two', 'one', 'two']) await deploy(bucket, { 'index.html': text })
    expect(textsIn(bucket)).toEqual(['one', 'two'])
    expect(writesOf(bucket).filter((key) => key.startsWith(folder))).toHaveLength(2)
    const { objects } = await recordIn(bucket, 4)
    expect(objects.get('index.html')?.backup).toBe(hash('md5', 'two'))
  })

  it('that a failed deploy stored are found, and not sent again', async () => {
    const bucket = memoryBucket({
      fail: (key) => (key === 'static/b.html' ? new StaticS3Error('static-s3: no') : undefined),
    })
    const site = { 'a.html': 'a', 'b.html': 'b' }
    await expect(deploy(bucket, site)).rejects.toThrow('static-s3: no')
    expect(textsIn(bucket).sort()).toEqual(['a', 'b'])
    const healthy = memoryBucket()
    for (const [key, object] of bucket.objects) healthy.objects.set(key, object)
    const { number } = await deploy(healthy, site)
    expect(writesOf(healthy).filter((key) => key.startsWith(folder))).toEqual([])
    expect([...(await recordIn(healthy, number)).objects.values()].map(({ backup }) => backup)).toEqual([
      hash('md5', 'a'),
      hash('md5', 'b'),
    ])
  })

  it('that vanished before another deploy’s record are stored again under the lock', async () => {
    const bucket = memoryBucket()
    await deploy(bucket, { 'index.html': 'one' })
    const survey = await takeSurvey(bucket, 'static')
    // Meanwhile another deploy replaces the page, and somebody deletes what only old releases need.
    await deploy(bucket, { 'index.html': 'two' })
    let isGone = false
    const pruned: Bucket = {
      ...bucket,
      put: async (key, ...rest) => {
        const written = await bucket.put(key, ...rest)
        if (key.endsWith('.lock') && !isGone) {
          isGone = true
          for (const [name] of backupsIn(bucket)) bucket.objects.delete(folder + name)
        }
        return written
      },
    }
    const { number } = await deploy(pruned, { 'index.html': 'three' }, { survey })
    expect(textsIn(bucket)).toEqual(['three'])
    expect((await recordIn(bucket, number)).objects.get('index.html')?.backup).toBe(hash('md5', 'three'))
  })

  it('are not made for files that no release restores', async () => {
    const bucket = memoryBucket()
    const { number } = await deploy(bucket, { 'photo.jpg': ['asset', 'photo'] }, { isRestorable: false })
    expect(backupsIn(bucket)).toEqual([])
    expect((await recordIn(bucket, number)).objects.get('photo.jpg')?.backup).toBeUndefined()
  })

  it('are not written again by a release that copies its files: their ETags may change', async () => {
    const bucket = memoryBucket()
    const source = { key: 'staging/index.html', etag: hash('md5', 'one') }
    await bucket.put(source.key, bodyOfBytes(Buffer.from('one')), {})
    for (const text of ['one', 'two']) await deploy(bucket, { 'index.html': text })
    const copies: string[] = []
    const copy: Bucket['copy'] = (from, to, ...rest) => {
      copies.push(`${from} → ${to}`)
      return bucket.copy(from, to, ...rest)
    }
    const promoted = filesOf({ 'index.html': 'one' }).map((file) => ({ ...file, source }))
    const { number } = await deploy({ ...bucket, copy }, {}, { files: promoted })
    expect(copies).toEqual(['staging/index.html → static/index.html'])
    expect((await recordIn(bucket, number)).objects.get('index.html')?.backup).toBe(source.etag)
  })

  it('are copied on the server into a large file, which is uploaded if the store copies nothing', async () => {
    const large = 'x'.repeat(300_000)
    const bucket = memoryBucket()
    await deploy(bucket, { 'film.mp4': ['asset', large] })
    expect(writesOf(bucket)).not.toContain('static/film.mp4')
    expect(bucket.objects.get('static/film.mp4')).toEqual({
      bytes: Buffer.from(large),
      parameters: { ContentType: 'text/plain' },
    })

    const without = memoryBucket()
    const refusal = Object.assign(new StaticS3Error('static-s3: no copies'), { cause: { status: 501 } })
    await deploy({ ...without, copy: () => Promise.reject(refusal) }, { 'film.mp4': ['asset', large] })
    expect(writesOf(without)).toContain('static/film.mp4')
  })

  it('may be forbidden: the release is live, and a warning says that it can’t be restored', async () => {
    const bucket = memoryBucket()
    const cause = { status: 403, name: 'AccessDenied' }
    const forbidden: Bucket = {
      ...bucket,
      put: (key, ...rest) =>
        key.startsWith(folder)
          ? Promise.reject(new StaticS3Error('static-s3: S3 denied it', { cause }))
          : bucket.put(key, ...rest),
    }
    const { number, warnings } = await deploy(forbidden, { 'index.html': 'page' })
    expect(number).toBe(1)
    expect(bucket.objects.has('static/index.html')).toBe(true)
    expect(warnings).toEqual([expect.stringMatching(/can't be restored later.*S3 denied it/)])
  })
})

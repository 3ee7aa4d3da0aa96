import { hash } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { type MemoryBucket, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { fileOf, location } from '../../fixtures/release/versions.js'
import type { Bucket } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { decodeRecord } from '../../src/release/records/format.js'
import { backupKey, recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'
import { type ReleaseInput, release } from '../../src/release/release.js'
import { takeSurvey } from '../../src/release/survey.js'
import type { Settings } from '../../src/settings/settings.js'

// A fingerprinted name has one content for ever. Somebody else may create it between the survey and our write.

const settings = {
  ...{ activate: true, location, concurrency: 1, lockTimeout: 10, objectParameters: {} },
  ...{ force: false, fileOverwrite: true },
} as unknown as Settings

/** As a deploy hashes a file that is not in the bucket. */
const unseen = (file: HashedFile): HashedFile => ({ ...file, md5: undefined })
const script = (name: string, text: string) =>
  unseen(fileOf(`assets/${name}-1a2b3c4d.js`, 'fingerprinted', text, { CacheControl: 'immutable' }))
const page = unseen(fileOf('index.html', 'html', 'page', {}))
const own = [script('app', 'ours'), script('lib', 'a library'), page]
const [{ key }] = own as [HashedFile]

async function deploy(bucket: Bucket, files: readonly HashedFile[], more: Partial<ReleaseInput> = {}) {
  const warnings: string[] = []
  const released = await release({
    ...{ files, survey: await takeSurvey(bucket, location), bucket, settings },
    deployer: async () => ({ id: crypto.randomUUID(), by: 'somebody', commit: undefined, bundler: 'none' }),
    ...{ warn: (message: string) => warnings.push(message), onProgress: () => {}, onWait: () => {} },
    ...more,
  })
  return { ...released, warnings }
}

describe('a fingerprinted name that somebody else creates first', () => {
  let bucket: MemoryBucket
  const textOf = (at: string) => bucket.objects.get(at)?.bytes.toString()
  const writes = () => bucket.log.flatMap((line) => (line.startsWith('end put static/') ? [line.slice(8)] : []))
  /** Others do something immediately before the first write of this key. */
  const before = (which: string, others: () => unknown): Bucket => {
    let isFirst = true
    const put: Bucket['put'] = async (at, ...rest) => {
      if (at === which && isFirst) {
        isFirst = false
        await others()
      }
      return bucket.put(at, ...rest)
    }
    return { ...bucket, put }
  }
  const theirs = (text: string, parameters = {}) =>
    before(key, () => {
      bucket.objects.set(key, { bytes: Buffer.from(text), parameters })
      bucket.written.set(key, bucket.now())
    })
  const off = { settings: { ...settings, fileOverwrite: false } }

  beforeEach(() => {
    bucket = memoryBucket()
  })

  it.each(['them', 'longer'])('with other bytes is a warning: %s', async (text) => {
    expect((await deploy(theirs(text), own)).warnings).toEqual([
      `${key}: the bucket has other bytes under the same fingerprinted name, which browsers keep for a year`,
    ])
    expect(textOf(key)).toBe('ours')
  })

  it.each(['them', 'longer'])('with other bytes ends the deploy without fileOverwrite: %s', async (text) => {
    await expect(deploy(theirs(text), own, off)).rejects.toThrow(
      /app-1a2b3c4d.js: the bucket has other bytes .* AWS_S3_FILE_OVERWRITE is off/,
    )
    expect(textOf(key)).toBe(text)
    expect(bucket.objects.has(page.key)).toBe(false)
  })

  it('with the same bytes is not uploaded again', async () => {
    expect((await deploy(theirs('ours', { CacheControl: 'immutable' }), own, off)).warnings).toEqual([])
    expect(writes()).toEqual([own[1]?.key, page.key])
  })

  it('with the same bytes and other headers gets ours, by a copy', async () => {
    await deploy(theirs('ours', { CacheControl: 'no-cache' }), own, off)
    expect(writes()).toEqual([own[1]?.key, page.key])
    expect(bucket.objects.get(key)?.parameters).toEqual({ CacheControl: 'immutable' })
  })

  it('without a byte is compared too', async () => {
    const empty = [script('app', ''), ...own.slice(1)]
    expect((await deploy(theirs('', { CacheControl: 'immutable' }), empty, off)).warnings).toEqual([])
    bucket = memoryBucket()
    await expect(deploy(theirs('x'), empty, off)).rejects.toThrow('AWS_S3_FILE_OVERWRITE is off')
  })

  it('and is gone again is uploaded under the lock', async () => {
    const put: Bucket['put'] = async (at, body, parameters, ...rest) => {
      if (at === key && parameters.IfNoneMatch) bucket.objects.set(key, { bytes: Buffer.from('x'), parameters: {} })
      return bucket.put(at, body, parameters, ...rest).finally(() => {
        if (at === key && parameters.IfNoneMatch) bucket.objects.delete(key)
      })
    }
    expect((await deploy({ ...bucket, put }, own, off)).warnings).toEqual([])
    expect(textOf(key)).toBe('ours')
  })

  it('in another deploy, which is live: the second one fails before a page changes', async () => {
    const others = [script('app', 'them'), script('lib', 'a library'), unseen(fileOf('index.html', 'html', 'them', {}))]
    const survey = await takeSurvey(bucket, location)
    await deploy(bucket, others)
    await expect(deploy(bucket, own, { ...off, survey })).rejects.toThrow('AWS_S3_FILE_OVERWRITE is off')
    expect([textOf(key), textOf(page.key)]).toEqual(['them', 'them'])
  })

  it('long ago is found with force as well', async () => {
    bucket.objects.set(key, { bytes: Buffer.from('longer'), parameters: {} })
    const forced = { settings: { ...settings, fileOverwrite: false, force: true } as Settings }
    await expect(deploy(bucket, own, forced)).rejects.toThrow('AWS_S3_FILE_OVERWRITE is off')
    expect(textOf(key)).toBe('longer')
  })
})

it('a backup whose name was refused, and that is gone again, is stored', async () => {
  const bucket = memoryBucket()
  const backup = backupKey(location, page.sha256)
  const put: Bucket['put'] = async (at, body, parameters, ...rest) => {
    // As where a delete marker counts as an object.
    if (at === backup && parameters.IfNoneMatch) bucket.objects.set(at, { bytes: Buffer.from('x'), parameters: {} })
    return bucket.put(at, body, parameters, ...rest).finally(() => {
      if (at === backup && parameters.IfNoneMatch) bucket.objects.delete(at)
    })
  }
  await deploy({ ...bucket, put }, own)
  const bytes = (await bucket.get(recordKey(releasesFolder(location), 1))) ?? Buffer.alloc(0)
  expect((await decodeRecord(location, bytes)).objects.get('index.html')?.backup).toBe(hash('md5', 'page'))
  expect(bucket.objects.get(backup)?.bytes.toString()).toBe('page')
})

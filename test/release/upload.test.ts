import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MemoryBucket, type MemoryBucketOptions, memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import type { Bucket, ObjectParameters, Pieces, StoredObject } from '../../src/bucket/bucket.js'
import { fileOf, type Group } from '../../src/files/built-file.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { Permit } from '../../src/release/lock/hold-lock.js'
import { type Known, type Plan, plan } from '../../src/release/plan.js'
import { startUpload, type Upload } from '../../src/release/upload/upload.js'
import type { Done } from '../../src/release/upload/what-visitors-see.js'
import { StaticS3Error } from '../../src/runtime/error.js'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function write(path: string, group: Group, content: string | Buffer = path): Promise<HashedFile> {
  const file = join(dir, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, content)
  return {
    path,
    dir,
    key: `static/${path}`,
    group,
    parameters: { CacheControl: group },
    size: Buffer.byteLength(content),
    ...(Buffer.byteLength(content) > 256 * 1024 ? {} : { md5: createHash('md5').update(content).digest('hex') }),
    sha256: createHash('sha256').update(content).digest('hex'),
  }
}

/** Two files of each group, in an order that is nobody's. */
const site = () =>
  Promise.all([
    write('index.html', 'html'),
    write('manifest.json', 'manifest'),
    write('assets/a-1.js', 'fingerprinted'),
    write('logo.png', 'asset'),
    write('assets/b-1.js', 'fingerprinted'),
    write('about.html', 'html'),
    write('data.json', 'asset'),
    write('sw.js', 'service worker'),
  ])

const planAll = (files: HashedFile[]) => planFor(files, {})

const planFor = (files: HashedFile[], known: Partial<Known>) =>
  plan(
    files,
    { listing: new Map(), record: undefined, backups: new Map(), heads: new Map(), written: new Map(), ...known },
    false,
  )

const listingOf = async (bucket: Bucket): Promise<Known['listing']> =>
  new Map([...(await bucket.list('static/'))].map((object) => [object.key, object]))

/** The objects as HEAD requests show them. */
const headsOf = async (bucket: MemoryBucket): Promise<Known['heads']> => {
  const heads = [...bucket.objects.keys()].map(async (key) => [key, (await bucket.head(key)) as StoredObject] as const)
  return new Map(await Promise.all(heads))
}

const known = async (bucket: MemoryBucket) => ({ listing: await listingOf(bucket), heads: await headsOf(bucket) })

const keysOf = ({ written }: Upload) => [...written].map(([key]) => key)

const ignoreProgress = () => {}

/** Carries out a whole plan. */
const upload = (planned: Plan, bucket: Bucket, concurrency: number, onProgress: (done: Done, all: Done) => void) =>
  startUpload(bucket, concurrency, onProgress).run(planned, 'all')

const failing = (...keys: string[]): MemoryBucketOptions['fail'] => {
  return (key) => (keys.includes(key) ? new StaticS3Error(`static-s3: AccessDenied: ${key}`) : undefined)
}

/** As a bucket rejects. */
const answer = (status: number | undefined, code: string) =>
  new StaticS3Error(`static-s3: ${code}`, { cause: Object.assign(new Error(code), { name: code, status }) })

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )

const begun = ({ log }: MemoryBucket) => log.filter((line) => line.startsWith('begin')).map((line) => line.slice(10))

describe('what is uploaded', () => {
  it('bytes and headers, under the key', async () => {
    const bucket = memoryBucket()
    const planned = planAll([await write('ü/a b.js', 'asset', 'content')])
    await upload(planned, bucket, 8, ignoreProgress)
    expect([...bucket.objects]).toEqual([
      ['static/ü/a b.js', { bytes: Buffer.from('content'), parameters: { CacheControl: 'asset' } }],
    ])
  })

  it.each([0, 1, 256 * 1024, 256 * 1024 + 1, 5_000_000])('a file of %i bytes', async (size) => {
    const bucket = memoryBucket()
    const content = Buffer.alloc(size, 'abcdefg')
    await upload(planAll([await write('file.bin', 'asset', content)]), bucket, 8, ignoreProgress)
    expect(bucket.objects.get('static/file.bin')?.bytes.equals(content)).toBe(true)
  })

  it('not what is unchanged', async () => {
    const bucket = memoryBucket()
    const files = await site()
    await upload(planAll(files), bucket, 8, ignoreProgress)
    const again = memoryBucket()
    const planned = planFor(files, await known(bucket))
    expect(planned.decisions).toHaveLength(8)
    await upload(planned, again, 8, ignoreProgress)
    expect(again.log).toEqual([])
  })
})

describe('the order', () => {
  const group = (key: string) =>
    key.endsWith('.html') ? 3 : /manifest|sw\.js/.test(key) ? 2 : key.includes('assets/') ? 0 : 1

  it.each<[what: string, delay: (key: string) => number]>([
    ['when all are equally fast', () => 0],
    ['when what comes first is slow', (key) => 15 - 5 * group(key)],
    ['when one file of each group is slow', (key) => (/a-1|logo|sw|about/.test(key) ? 20 : 0)],
  ])('holds %s: a group begins only when the one before is there whole', async (_what, delay) => {
    const bucket = memoryBucket({ delay })
    await upload(planAll(await site()), bucket, 8, ignoreProgress)
    const steps = bucket.log.map((line) => ({
      begins: line.startsWith('begin'),
      group: group(line.split(' ')[2] as string),
    }))
    expect(steps).toHaveLength(16)
    for (const [index, step] of steps.entries()) {
      const open = steps.slice(index).filter((later) => later.group < step.group)
      expect(open, bucket.log.join('\n')).toEqual([])
    }
  })

  it('lets a whole group go at once', async () => {
    const bucket = memoryBucket({ delay: () => 10 })
    await upload(planAll(await site()), bucket, 8, ignoreProgress)
    expect(bucket.busiest).toBe(2)
  })
})

describe('progress', () => {
  it('comes after each file, and adds up', async () => {
    const files = await site()
    const seen: [files: number, bytes: number][] = []
    await upload(planAll(files), memoryBucket(), 8, (done) => seen.push([done.files, done.bytes]))
    expect(seen.map(([count]) => count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(seen.at(-1)?.[1]).toBe(files.reduce((sum, { size }) => sum + size, 0))
  })
})

describe('concurrency', () => {
  it.each([1, 3, 64])('%i is kept', async (concurrency) => {
    const bucket = memoryBucket({ concurrency, delay: () => 2 })
    const files = await Promise.all(Array.from({ length: 100 }, (_, i) => write(`f${i}`, 'asset')))
    await upload(planAll(files), bucket, concurrency, ignoreProgress)
    expect(bucket.busiest).toBe(concurrency)
    expect(bucket.objects.size).toBe(100)
  })

  it('opens a body only when the bucket asks for it', async () => {
    const files = await Promise.all(Array.from({ length: 20 }, (_, i) => write(`f${i}`, 'asset')))
    const later = memoryBucket({ concurrency: 1 })
    let removed: Promise<void> | undefined
    const lazy: Bucket = {
      ...later,
      // Between the call and the request the file changes places: only an opening beforehand would still find it.
      put: async (key, body, parameters, signal) => {
        await new Promise((done) => setTimeout(done, 5))
        removed ??= rm(dir, { recursive: true, force: true })
        await removed
        return later.put(key, body, parameters, signal)
      },
    }
    expect(await messageOf(upload(planAll(files), lazy, 8, ignoreProgress))).toContain(
      'vanished before it was uploaded',
    )
  })
})

describe('a failure', () => {
  it.each<[key: string, uploaded: string[], stands: string]>([
    [
      'static/assets/a-1.js',
      ['static/assets/b-1.js'],
      'The site stands as it was. 1 of 8 files are up, and the next run carries on from there.',
    ],
    [
      'static/logo.png',
      ['static/assets/a-1.js', 'static/assets/b-1.js', 'static/data.json'],
      'The old pages stand; 1 file without a fingerprint is new. 3 of 8 files are up, and the next run carries on from there.',
    ],
    [
      'static/sw.js',
      ['static/assets/a-1.js', 'static/assets/b-1.js', 'static/data.json', 'static/logo.png', 'static/manifest.json'],
      'The old pages stand; 3 files without a fingerprint are new. 5 of 8 files are up, and the next run carries on from there.',
    ],
    [
      'static/index.html',
      [
        'static/about.html',
        'static/assets/a-1.js',
        'static/assets/b-1.js',
        'static/data.json',
        'static/logo.png',
        'static/manifest.json',
        'static/sw.js',
      ],
      '1 page is new, and everything that it needs is there. 7 of 8 files are up, and the next run carries on from there.',
    ],
  ])('at %s stops what comes later, and says what stands', async (key, uploaded, stands) => {
    // The one that fails is the last of its group, so that what is up is certain.
    const bucket = memoryBucket({ fail: failing(key), delay: (each) => (each === key ? 20 : 0) })
    const error = await upload(planAll(await site()), bucket, 8, ignoreProgress).catch((reason) => reason)
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error.message).toBe(`static-s3: AccessDenied: ${key}\n${stands}`)
    expect(error.cause.message).toBe(`static-s3: AccessDenied: ${key}`)
    expect([...bucket.objects.keys()].sort()).toEqual(uploaded)
  })

  it('starts nothing more in its own group', async () => {
    const files = await Promise.all(Array.from({ length: 100 }, (_, i) => write(`f${i}`, 'asset')))
    const bucket = memoryBucket({ concurrency: 4, fail: failing('static/f10'), delay: () => 1 })
    expect(await messageOf(upload(planAll(files), bucket, 8, ignoreProgress))).toContain('AccessDenied: static/f10')
    expect(begun(bucket).length).toBeLessThan(20)
    expect(bucket.objects.size).toBeLessThan(20)
  })

  it('leaves nothing under way when it is reported, and counts what was', async () => {
    const bucket = memoryBucket({
      fail: failing('static/about.html'),
      delay: (key) => (key.endsWith('index.html') ? 30 : 0),
    })
    const message = await messageOf(upload(planAll(await site()), bucket, 8, ignoreProgress))
    const { length } = bucket.log
    await new Promise((done) => setTimeout(done, 50))
    expect(bucket.log).toHaveLength(length)
    expect(bucket.objects.has('static/index.html')).toBe(true)
    expect(message).toMatch(/^1 pages? (is|are) new/m)
  })

  it('is the first one, when several fail', async () => {
    const bucket = memoryBucket({
      fail: failing('static/assets/a-1.js', 'static/assets/b-1.js'),
      delay: (key) => (key === 'static/assets/a-1.js' ? 20 : 0),
    })
    const message = await messageOf(upload(planAll(await site()), bucket, 8, ignoreProgress))
    expect(message).toContain('AccessDenied: static/assets/b-1.js')
    expect(message).not.toContain('a-1')
  })

  it('hands the bucket a signal that tells it', async () => {
    const signals: AbortSignal[] = []
    const inner = memoryBucket({ fail: failing('static/assets/a-1.js') })
    const bucket: Bucket = {
      ...inner,
      put: (key, body, parameters, signal) => {
        if (signal) signals.push(signal)
        return inner.put(key, body, parameters, signal)
      },
    }
    await messageOf(upload(planAll(await site()), bucket, 8, ignoreProgress))
    expect(signals).toHaveLength(2)
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
  })

  it('is made good by the next run, which uploads only the rest', async () => {
    const files = await site()
    const bucket = memoryBucket({ fail: failing('static/sw.js'), delay: (key) => (key === 'static/sw.js' ? 20 : 0) })
    await messageOf(upload(planAll(files), bucket, 8, ignoreProgress))
    const next = memoryBucket()
    const planned = planFor(files, await known(bucket))
    await upload(planned, next, 8, ignoreProgress)
    expect(begun(next).sort()).toEqual(['static/about.html', 'static/index.html', 'static/sw.js'])
  })
})

describe('new headers', () => {
  /** A bucket that has all files with other headers, the plan for it, and what is asked of it, in its order. */
  async function stale(refuse: (key: string) => Error | undefined = () => undefined) {
    const files = await site()
    const bucket = memoryBucket()
    const before = files.map((file) => ({ ...file, parameters: { CacheControl: 'old', Metadata: { by: 'old' } } }))
    await upload(planAll(before), bucket, 8, ignoreProgress)
    const planned = planFor(files, { listing: await listingOf(bucket) })
    expect(new Set(planned.decisions.map(({ action }) => action))).toEqual(new Set(['copy']))
    const asked: string[] = []
    const refusing: Bucket = {
      ...bucket,
      put: (key, ...rest) => {
        asked.push(`put ${key}`)
        return bucket.put(key, ...rest)
      },
      copy: async (from, to, parameters, signal, check) => {
        asked.push(from === to ? `copy ${to}` : `copy ${from} to ${to}`)
        check?.()
        // Each takes a turn of its own, so that those of a later group would come before the end of an earlier one.
        await new Promise((done) => setTimeout(done))
        const error = refuse(to)
        if (error) throw error
        return bucket.copy(from, to, parameters, signal)
      },
    }
    return { files, planned, asked, bucket: refusing, objects: bucket.objects }
  }

  const inOrder = [
    'static/assets/a-1.js',
    'static/assets/b-1.js',
    'static/logo.png',
    'static/data.json',
    'static/manifest.json',
    'static/index.html',
    'static/about.html',
    'static/sw.js',
  ]

  it('are a copy of each object onto itself, with the new parameters alone, in the order of the groups', async () => {
    const { files, planned, asked, bucket, objects } = await stale()
    const uploading = startUpload(bucket, 8, ignoreProgress)
    await uploading.run(planned, 'all')
    expect(asked).toEqual(inOrder.map((key) => `copy ${key}`))
    for (const { key, path, group, md5 } of files) {
      expect(objects.get(key)).toEqual({ bytes: Buffer.from(path), parameters: { CacheControl: group } })
      expect(uploading.written.get(key)?.etag).toBe(md5)
    }
  })

  it('wait for the group before, whether that is uploaded or copied', async () => {
    const { bucket, asked, planned } = await stale()
    const added = await write('assets/c-1.js', 'fingerprinted')
    const decisions = [...planned.decisions, ...planAll([added]).decisions]
    await upload({ ...planned, decisions }, bucket, 1, () => {})
    expect(asked.slice(0, 4)).toEqual([
      // New names first: nobody refers to them yet.
      'put static/assets/c-1.js',
      'copy static/assets/a-1.js',
      'copy static/assets/b-1.js',
      'copy static/logo.png',
    ])
  })

  it.each<[status: number, code: string]>([
    [400, 'InvalidRequest'],
    [403, 'AccessDenied'],
    [405, 'MethodNotAllowed'],
    [501, 'NotImplemented'],
  ])('are uploaded where a copy is refused with %i, and nothing is asked twice', async (status, code) => {
    const { files, planned, asked, bucket, objects } = await stale(() => answer(status, code))
    const uploading = startUpload(bucket, 1, ignoreProgress)
    await uploading.run(planned, 'creations')
    await uploading.run(planned, 'all but creations')
    expect(asked).toEqual([`copy ${inOrder[0]}`, ...inOrder.map((key) => `put ${key}`)])
    for (const { key, path, group } of files) {
      expect(objects.get(key)).toEqual({ bytes: Buffer.from(path), parameters: { CacheControl: group } })
    }
    expect(keysOf(uploading)).toEqual(inOrder)
  })

  it.each<[status: number | undefined, code: string, standing: string]>([
    [500, 'InternalError', 'The site stands as it was'],
    [503, 'SlowDown', 'The site stands as it was'],
    [undefined, 'ECONNRESET', 'The old pages stand; 1 file without a fingerprint may be new'],
  ])(
    'end the deploy where a copy fails with %s %s: it is not the copy that is refused',
    async (status, code, standing) => {
      const { planned, asked, bucket } = await stale((key) => (key.endsWith('.png') ? answer(status, code) : undefined))
      expect(await messageOf(upload(planned, bucket, 1, ignoreProgress))).toBe(
        `static-s3: ${code}\n${standing}. 2 of 8 files are up, and the next run carries on from there.`,
      )
      expect(asked).toEqual(inOrder.slice(0, 3).map((key) => `copy ${key}`))
    },
  )

  it.each<[status: number, code: string]>([
    [404, 'NoSuchKey'],
    [412, 'PreconditionFailed'],
  ])(
    'become uploads where %s %s says that somebody has changed the object, and others stay copies',
    async (status, code) => {
      const { planned, asked, bucket } = await stale((key) => (key.endsWith('.png') ? answer(status, code) : undefined))
      await upload(planned, bucket, 1, ignoreProgress)
      expect(asked.filter((line) => line.startsWith('put '))).toEqual(['put static/logo.png'])
      expect(asked.filter((line) => line.startsWith('copy '))).toEqual(inOrder.map((key) => `copy ${key}`))
    },
  )

  it('are of the object that was listed', async () => {
    const { planned, bucket } = await stale()
    const parameters: ObjectParameters[] = []
    const copy: Bucket['copy'] = (from, to, sent, signal) => {
      parameters.push(sent)
      return bucket.copy(from, to, sent, signal)
    }
    await upload(planned, { ...bucket, copy }, 1, ignoreProgress)
    expect(parameters.map(({ CopySourceIfMatch }) => CopySourceIfMatch).sort()).toEqual(
      planned.decisions.map(({ file }) => `"${file.md5}"`).sort(),
    )
  })

  it('whose upload fails too end with what the upload says', async () => {
    const { planned, bucket } = await stale(() => answer(403, 'AccessDenied'))
    const put: Bucket['put'] = async () => {
      throw answer(403, 'QuotaExceeded')
    }
    expect(await messageOf(upload(planned, { ...bucket, put }, 1, ignoreProgress))).toMatch(
      /^static-s3: QuotaExceeded\n/,
    )
  })

  it.each<[how: string, permit: Permit | undefined]>([
    ['without a permit', undefined],
    ['under a permit', { signal: new AbortController().signal, check() {} }],
  ])('are not uploaded after the end, when a copy that is under way then is refused: %s', async (_how, permit) => {
    const { planned, asked, bucket } = await stale()
    const copy: Bucket['copy'] = async (_from, key) => {
      if (key === inOrder[0]) throw answer(500, 'InternalError')
      await new Promise((later) => setTimeout(later))
      throw answer(403, 'AccessDenied')
    }
    const uploading = startUpload({ ...bucket, copy }, 8, ignoreProgress)
    expect(await messageOf(uploading.run(planned, 'all', permit))).toMatch(/^static-s3: InternalError\n/)
    expect(asked).toEqual([])
  })
})

describe('creations', () => {
  /** A bucket that answers so where a condition is sent. */
  const answering = (error: Error | undefined) => {
    const bucket = memoryBucket()
    const conditions: string[] = []
    const put: Bucket['put'] = async (key, body, { IfNoneMatch, ...parameters }, signal, check) => {
      conditions.push(`${key} ${IfNoneMatch}`)
      if (IfNoneMatch && error) throw error
      return bucket.put(key, body, parameters, signal, check)
    }
    return { bucket: { ...bucket, put }, conditions, objects: bucket.objects }
  }

  it('replace nothing, and nothing else has a condition', async () => {
    const { bucket, conditions } = answering(undefined)
    const uploading = startUpload(bucket, 1, ignoreProgress)
    const planned = planAll(await site())
    await uploading.run(planned, 'creations')
    await uploading.run(planned, 'all but creations')
    expect(uploading.wasForestalled()).toBe(false)
    expect(conditions.slice(0, 3)).toEqual([
      'static/assets/a-1.js *',
      'static/assets/b-1.js *',
      'static/logo.png undefined',
    ])
    expect(conditions.filter((line) => line.endsWith('*'))).toHaveLength(2)
  })

  it.each<[status: number, code: string]>([
    [412, 'PreconditionFailed'],
    [409, 'ConditionalRequestConflict'],
  ])('are left to others where %i %s says that these were first', async (status, code) => {
    const { bucket, conditions, objects } = answering(answer(status, code))
    const uploading = startUpload(bucket, 1, ignoreProgress)
    await uploading.run(planAll(await site()), 'creations')
    expect(uploading.wasForestalled()).toBe(true)
    expect(conditions).toHaveLength(2)
    expect([objects.size, uploading.written.size]).toEqual([0, 0])
  })

  it.each<[status: number, code: string]>([
    [501, 'NotImplemented'],
    [400, 'InvalidArgument'],
  ])('go without a condition after %i %s, and others do not try it again', async (status, code) => {
    const { bucket, conditions, objects } = answering(answer(status, code))
    const uploading = startUpload(bucket, 1, ignoreProgress)
    await uploading.run(planAll(await site()), 'creations')
    expect(uploading.wasForestalled()).toBe(false)
    expect(conditions).toEqual([
      'static/assets/a-1.js *',
      'static/assets/a-1.js undefined',
      'static/assets/b-1.js undefined',
    ])
    expect(objects.size).toBe(2)
  })

  it('fail where S3 forbids them', async () => {
    const { bucket } = answering(answer(403, 'AccessDenied'))
    const creating = startUpload(bucket, 1, ignoreProgress).run(planAll(await site()), 'creations')
    expect(await messageOf(creating)).toMatch(/^static-s3: AccessDenied\n/)
  })
})

describe('several runs', () => {
  it('of one plan write nothing twice, where each takes what the one before left', async () => {
    const bucket = memoryBucket()
    const uploading = startUpload(bucket, 8, ignoreProgress)
    const planned = planAll(await site())
    await uploading.run(planned, 'creations')
    expect(begun(bucket).sort()).toEqual(['static/assets/a-1.js', 'static/assets/b-1.js'])
    await uploading.run(planned, 'all but creations')
    expect(begun(bucket)).toHaveLength(8)
    expect(new Set(begun(bucket)).size).toBe(8)
  })

  it('leave out what a later plan finds written, and write again what somebody else has changed since', async () => {
    const bucket = memoryBucket()
    const files = await site()
    const uploading = startUpload(bucket, 8, ignoreProgress)
    await uploading.run(planAll(files), 'creations')
    bucket.objects.set('static/assets/b-1.js', { bytes: Buffer.from('theirs'), parameters: {} })
    const later = planFor(files, { ...(await known(bucket)), written: uploading.written })
    await uploading.run(later, 'all')
    expect(
      begun(bucket)
        .filter((key) => key.includes('assets/'))
        .sort(),
    ).toEqual(['static/assets/a-1.js', 'static/assets/b-1.js', 'static/assets/b-1.js'])
    expect(bucket.objects.get('static/assets/b-1.js')?.bytes.toString()).toBe('assets/b-1.js')
    expect(begun(bucket)).toHaveLength(9)
  })

  /** Two runs, the second by a plan that was made after the first. */
  async function replanned(bucket: MemoryBucket, onProgress: Parameters<typeof startUpload>[2]): Promise<void> {
    const files = await site()
    const uploading = startUpload(bucket, 8, onProgress)
    await uploading.run(planAll(files), 'creations')
    const later = planFor(files, { ...(await known(bucket)), written: uploading.written })
    await uploading.run(later, 'all')
  }

  it('add up to what there is to do in all, also when a later plan has only the rest of it', async () => {
    const seen: string[] = []
    const bytes: boolean[] = []
    await replanned(memoryBucket(), (done, all) => {
      seen.push(`${done.files}/${all.files}`)
      bytes.push(done.bytes <= all.bytes)
    })
    expect(seen).toEqual(['1/8', '2/8', '3/8', '4/8', '5/8', '6/8', '7/8', '8/8'])
    expect(bytes).toEqual(Array(8).fill(true))
  })

  it('count what is up in all when the last one fails', async () => {
    const bucket = memoryBucket({
      fail: failing('static/about.html'),
      delay: (key) => (key.endsWith('about.html') ? 20 : 0),
    })
    expect(await messageOf(replanned(bucket, ignoreProgress))).toBe(
      'static-s3: AccessDenied: static/about.html\n' +
        '1 page is new, and everything that it needs is there. 7 of 8 files are up, and the next run carries on from there.',
    )
  })
})

describe('what was done', () => {
  it('is told by key: ETag and time of what was written, and nothing of what was left as it is', async () => {
    const bucket = memoryBucket()
    const there = await write('logo.png', 'asset')
    await upload(planAll([there]), bucket, 8, ignoreProgress)
    const files = [there, await write('index.html', 'html'), await write('data.json', 'asset')]
    const planned = planFor(files, await known(bucket))
    const uploading = startUpload(bucket, 8, ignoreProgress)
    expect([...uploading.written]).toEqual([])
    await uploading.run(planned, 'all')
    expect(planned.decisions[0]?.action).toBe('skip')
    expect([...uploading.written]).toEqual([
      ['static/data.json', { etag: files[2]?.md5, writtenAt: bucket.written.get('static/data.json') }],
      ['static/index.html', { etag: files[1]?.md5, writtenAt: bucket.written.get('static/index.html') }],
    ])
  })

  it('is told after a failure too, without what failed', async () => {
    const bucket = memoryBucket({ fail: failing('static/logo.png'), delay: (key) => (key.endsWith('.png') ? 20 : 0) })
    const uploading = startUpload(bucket, 8, ignoreProgress)
    await messageOf(uploading.run(planAll(await site()), 'all'))
    const up = ['static/assets/a-1.js', 'static/assets/b-1.js', 'static/data.json']
    expect(keysOf(uploading).sort()).toEqual(up)
  })

  it('is what the bucket answered, whatever the ETag is made of', async () => {
    const uploading: Upload = startUpload(
      { ...memoryBucket(), put: async () => ({ etag: 'opaque-2', writtenAt: 42 }) },
      8,
      ignoreProgress,
    )
    await uploading.run(planAll([await write('a.js', 'asset')]), 'all')
    expect([...uploading.written]).toEqual([['static/a.js', { etag: 'opaque-2', writtenAt: 42 }]])
  })
})

describe('what was sent under a permit and not answered', () => {
  const permit: Permit = { signal: new AbortController().signal, check() {} }

  it.each<[what: string, error: Error, left: boolean]>([
    ['a refusal', answer(403, 'AccessDenied'), false],
    ['trouble that the store told of', answer(500, 'InternalError'), false],
    ['a connection that was cut', answer(undefined, 'ECONNRESET'), true],
    ['a connection that went silent', answer(undefined, 'TimeoutError'), true],
    ['a file that vanished', new StaticS3Error('static-s3: a.js vanished before it was uploaded'), false],
  ])('%s', async (_what, error, left) => {
    const uploading = startUpload(memoryBucket({ fail: () => error }), 8, ignoreProgress)
    expect(uploading.leftUnanswered()).toBe(false)
    await messageOf(uploading.run(planAll([await write('a.js', 'asset')]), 'all', permit))
    expect(uploading.leftUnanswered()).toBe(left)
  })

  it('nothing, where all was written', async () => {
    const uploading = startUpload(memoryBucket(), 8, ignoreProgress)
    await uploading.run(planAll(await site()), 'all', permit)
    expect(uploading.leftUnanswered()).toBe(false)
  })

  it('nothing of what went up without a permit, since the next deploy needs no protection from it', async () => {
    const cut = answer(undefined, 'ECONNRESET')
    const uploading = startUpload(memoryBucket({ fail: () => cut }), 8, ignoreProgress)
    await messageOf(uploading.run(planAll([await write('assets/a-1.js', 'fingerprinted')]), 'all'))
    expect(uploading.leftUnanswered()).toBe(false)
  })
})

describe('a permit', () => {
  const reason = new StaticS3Error('static-s3: the lock could not be renewed')

  /** One that is lost on demand: at once, or only by the clock, as in a machine that has slept. */
  function permit(): Permit & { checked: number; lose(): void; expire(): void } {
    const lost = new AbortController()
    let expired = false
    const held = {
      checked: 0,
      signal: lost.signal,
      check() {
        held.checked++
        if (expired) throw reason
        lost.signal.throwIfAborted()
      },
      lose: () => lost.abort(reason),
      expire: () => {
        expired = true
      },
    }
    return held
  }

  it('that is held lets everything through, and is checked once for each attempt', async () => {
    const bucket = memoryBucket()
    const held = permit()
    await startUpload(bucket, 8, ignoreProgress).run(planAll(await site()), 'all', held)
    expect(bucket.objects.size).toBe(8)
    expect(held.checked).toBe(8)
  })

  it.each(['lose', 'expire'] as const)('that was lost before (%s) lets nothing through', async (how) => {
    const bucket = memoryBucket()
    const held = permit()
    held[how]()
    const uploading = startUpload(bucket, 8, ignoreProgress)
    const error = await uploading.run(planAll(await site()), 'all', held).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error?.message).toBe(
      `${reason.message}\nThe site stands as it was. 0 of 8 files are up, and the next run carries on from there.`,
    )
    expect(error?.cause).toBe(reason)
    expect(bucket.objects.size).toBe(0)
    expect(uploading.leftUnanswered()).toBe(false)
  })

  it.each(['lose', 'expire'] as const)(
    'that is lost meanwhile (%s) lets nothing more through, and says what stands',
    async (how) => {
      const held = permit()
      const bucket = memoryBucket()
      const uploading = startUpload(bucket, 1, (done) => {
        if (done.files === 3) held[how]()
      })
      expect(await messageOf(uploading.run(planAll(await site()), 'all', held))).toBe(
        `${reason.message}\nThe old pages stand; 1 file without a fingerprint is new. 3 of 8 files are up, and the next run carries on from there.`,
      )
      expect([...bucket.objects.keys()]).toEqual(['static/assets/a-1.js', 'static/assets/b-1.js', 'static/logo.png'])
    },
  )

  it('that is found lost by the check of a page says nothing of a page that may be new: none was sent', async () => {
    const held = permit()
    const lost: Permit = {
      signal: held.signal,
      check() {
        held.lose()
        held.check()
      },
    }
    const uploading = startUpload(memoryBucket(), 8, ignoreProgress)
    expect(await messageOf(uploading.run(planAll([await write('index.html', 'html')]), 'all', lost))).toMatch(
      /^static-s3: the lock could not be renewed\nThe site stands as it was\. 0 of 1/,
    )
    expect(uploading.leftUnanswered()).toBe(false)
  })

  it('that is lost tells the requests that are under way', async () => {
    const held = permit()
    const inner = memoryBucket()
    const bucket: Bucket = {
      ...inner,
      put: (_key, _body, _parameters, signal, check) =>
        new Promise((_resolve, reject) => {
          check?.()
          signal?.addEventListener('abort', () => reject(signal.reason))
          held.lose()
        }),
    }
    const uploading = startUpload(bucket, 8, ignoreProgress)
    // A single file: there is no other one whose check would stop it.
    const planned = planAll([await write('index.html', 'html')])
    expect(await messageOf(uploading.run(planned, 'all', held))).toMatch(
      /^static-s3: the lock could not be renewed\n1 page may be new, and everything that it needs is there\. 0 of 1/,
    )
    expect(uploading.leftUnanswered()).toBe(true)
    expect([...uploading.written]).toEqual([])
  })

  it('lets what is under way end when another file fails, since the next deploy may not begin before', async () => {
    const inner = memoryBucket()
    let failed = () => {}
    const failure = new Promise<void>((resolve) => {
      failed = resolve
    })
    const bucket: Bucket = {
      ...inner,
      async put(key, body, parameters, signal) {
        if (key === 'static/assets/a-1.js') {
          failed()
          throw answer(403, 'AccessDenied')
        }
        await failure
        await new Promise((later) => setTimeout(later))
        expect(signal?.aborted).toBe(false)
        return inner.put(key, body, parameters, signal)
      },
    }
    const uploading = startUpload(bucket, 8, ignoreProgress)
    expect(await messageOf(uploading.run(planAll(await site()), 'all', permit()))).toMatch(/^static-s3: AccessDenied\n/)
    expect(keysOf(uploading)).toEqual(['static/assets/b-1.js'])
    expect(uploading.leftUnanswered()).toBe(false)
  })

  it('is one run’s alone: another run goes on without it', async () => {
    const bucket = memoryBucket()
    const held = permit()
    held.lose()
    const uploading = startUpload(bucket, 8, ignoreProgress)
    const planned = planAll(await site())
    await messageOf(uploading.run(planned, 'creations', held))
    await uploading.run(planned, 'all')
    expect(bucket.objects.size).toBe(8)
  })
})

describe('a file that is not what it was', () => {
  const big = 3 * 1024 * 1024

  describe.each([
    ['a small one', 100, 'static-s3: app.js changed while it was being uploaded; build again\n'],
    ['a big one', big, 'XAmzContentSHA256Mismatch'],
  ])('%s', (_what, size, says) => {
    it('vanished', async () => {
      const file = await write('app.js', 'asset', Buffer.alloc(size))
      await rm(fileOf(file))
      expect(await messageOf(upload(planAll([file]), memoryBucket(), 8, ignoreProgress))).toContain(
        'static-s3: app.js vanished before it was uploaded\n',
      )
    })

    it.each([
      ['grew', 1],
      ['shrank', -1],
    ])('%s', async (_how, by) => {
      const file = await write('app.js', 'asset', Buffer.alloc(size))
      await writeFile(fileOf(file), Buffer.alloc(size + by))
      const bucket = memoryBucket()
      expect(await messageOf(upload(planAll([file]), bucket, 8, ignoreProgress))).toContain(
        'static-s3: app.js changed while it was being uploaded; build again\n',
      )
      expect(bucket.objects.size).toBe(0)
    })

    it('became a folder', async () => {
      const file = await write('app.js', 'asset', Buffer.alloc(size))
      await rm(fileOf(file))
      await mkdir(fileOf(file))
      expect(await messageOf(upload(planAll([file]), memoryBucket(), 8, ignoreProgress))).toMatch(
        /static-s3: app\.js (can't be read \(EISDIR\)|changed while it was being uploaded)/,
      )
    })

    it('has other bytes of the same number: it stays here, or the checksum goes along, and the bucket refuses it', async () => {
      const file = await write('app.js', 'asset', Buffer.alloc(size, 'a'))
      await writeFile(fileOf(file), Buffer.alloc(size, 'b'))
      const bucket = memoryBucket()
      expect(await messageOf(upload(planAll([file]), bucket, 8, ignoreProgress))).toContain(says)
      expect(bucket.objects.size).toBe(0)
    })
  })
})

describe('a body', () => {
  /** What the bucket is handed. */
  async function bodyOf(content: Buffer) {
    const file = await write('file.bin', 'asset', content)
    const bodies: Parameters<Bucket['put']>[1][] = []
    const bucket = memoryBucket()
    bucket.put = async (_key, body) => {
      bodies.push(body)
      return { etag: '', writtenAt: 0 }
    }
    await upload(planAll([file]), bucket, 8, ignoreProgress)
    return bodies[0] as (typeof bodies)[0]
  }

  /** Each piece is there until the next one is asked for. */
  async function* copied(pieces: Pieces) {
    for await (const piece of pieces) yield Buffer.from(piece)
  }

  it.each<[what: string, size: number, streamed: boolean]>([
    ['of up to 256 kB is one buffer', 256 * 1024, false],
    ['above that is read in pieces', 256 * 1024 + 1, true],
  ])('%s, and can be sent again', async (_what, size, streamed) => {
    const content = Buffer.alloc(size, 'abc')
    const body = await bodyOf(content)
    expect(body.size).toBe(size)
    const attempts = [await body.open(), await body.open()]
    expect(attempts[0] === attempts[1]).toBe(false)
    for (const attempt of attempts) {
      expect(attempt instanceof Uint8Array).toBe(!streamed)
      const bytes = attempt instanceof Uint8Array ? attempt : await buffer(copied(attempt))
      expect(content.equals(bytes)).toBe(true)
    }
  })

  it('that was given up halfway can be sent again', async () => {
    const content = Buffer.alloc(3 * 1024 * 1024, 'abc')
    const body = await bodyOf(content)
    const first = (await body.open()) as Pieces
    await first[Symbol.asyncIterator]().next()
    first.destroy()
    expect((await buffer(copied((await body.open()) as Pieces))).equals(content)).toBe(true)
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { utimesSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { CopyObjectCommand, DeleteObjectsCommand, PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  buildViteHere,
  listeningLogger,
  stubDeployEnv,
  viteBuild,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { buildVite, copyApp, readTree } from '../../fixtures/build/index.js'
import { siteObjects, sitePuts, writes } from '../../fixtures/build/site.js'
import { patience } from '../../fixtures/patience.js'
import {
  type EmbeddedS3,
  type Fault,
  type LoggedRequest,
  type StoredObject,
  startEmbedded,
} from '../../fixtures/s3/index.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'

// What a deploy costs, in requests as the server counts them, and that it is right for that price.

let s3: EmbeddedS3
/** Milliseconds by which the server's clock is ahead. */
let ahead = 0
/** Where the server's clock stands still. */
let stopped: number | undefined

beforeAll(async () => {
  s3 = await startEmbedded({ now: () => new Date((stopped ?? Date.now()) + ahead) })
})
afterEach(() => {
  s3.server.intercept = undefined
  stopped = undefined
  vi.unstubAllEnvs()
})
afterAll(() => s3.close())

const releases = '.static-s3/static/releases/'
const backupFolder = '.static-s3/static/objects/'

const config = (options = '') => ({
  'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default { plugins: [staticS3(${options})] }
`,
})

/** More than the clocks of a store's machines may differ. */
const later = () => {
  ahead += 5000
}
/** After which nobody holds a lock that had one. */
const muchLater = () => {
  ahead += 31_000
}

const reads = () => s3.server.requests.filter(({ method }) => method === 'GET')
const isOfBackup = ({ key }: LoggedRequest) => key?.startsWith(backupFolder)
const heads = () => s3.server.requests.filter((each) => each.operation === 'HeadObject' && !isOfBackup(each))
const copies = () => s3.server.requests.filter((each) => each.operation === 'CopyObject' && !isOfBackup(each))
const uploads = () => sitePuts(s3).filter(({ operation }) => operation === 'PutObject')
const keysOf = (requests: readonly LoggedRequest[]) => requests.map(({ key }) => key as string).sort()
const own = (bucket: string) =>
  [...s3.server.objects(bucket).keys()].filter((key) => key.startsWith('.static-s3/')).sort()

/** To be told afterwards that no object was written since, not even with the same content. */
const untouched = (bucket: string, from = s3) => {
  const before = new Map(from.server.objects(bucket))
  return () => {
    const now = from.server.objects(bucket)
    expect(now.size).toBe(before.size)
    expect([...before].filter(([key, object]) => now.get(key) !== object)).toEqual([])
  }
}

/** The same of what visitors see. */
const untouchedSite = (bucket: string) => {
  const before = siteObjects(s3, bucket)
  return () => expect([...siteObjects(s3, bucket)].filter(([key, object]) => before.get(key) !== object)).toEqual([])
}

/** What visitors get: bytes and headers. */
const live = (bucket: string) =>
  new Map(
    [...siteObjects(s3, bucket)].map(([key, { body, headers, metadata }]) => [
      key,
      { body: body.toString('latin1'), headers, metadata },
    ]),
  )

/** Nothing beyond the location was ever listed, except the releases of other locations that may own a replaced file. */
const listedTheLocationAlone = ({ server } = s3) => {
  const prefixes = server.requests.flatMap(({ operation, query }) => (/^List/.test(operation) ? [query.prefix] : []))
  for (const prefix of prefixes) {
    expect(prefix).toMatch(/^(static\/|\.static-s3\/(static\/(objects\/)?|(\S+\/)?releases\/))$/)
  }
}

/** The backups that are written. */
const backups = () => writes(s3).filter(isOfBackup)
/** What a release writes beside the site, apart from the backups: the lock and the record. */
const ofTheRelease = () =>
  writes(s3)
    .filter((each) => !isOfBackup(each) && (each.key === undefined || each.key.startsWith('.static-s3/')))
    .map(({ operation, key = '' }) => `${operation} ${key.replace(releases, '')}`)
/** Without a record, it isn't known whether the store minds conditions: a second write of the lock finds out. */
const aRelease = (number: number, knows: 'with a record' | 'without a record' = 'with a record') => [
  ...Array(knows === 'with a record' ? 1 : 2).fill(`PutObject ${99_999_999 - number}.lock`),
  `PutObject ${99_999_999 - number}.json.gz`,
]

describe('3,000 files in the build', () => {
  let dir: string
  let bucket: string
  const paths = [
    ...Array.from({ length: 200 }, (_, i) => `ruled/${i}.txt`),
    ...Array.from({ length: 2793 }, (_, i) => `many/${i % 50}/${i}.txt`),
  ]
  const ruledKeys = paths
    .slice(0, 200)
    .map((path) => `static/${path}`)
    .sort()

  /** Emptying a folder of 3,000 files takes Vite three times as long as the build. */
  const build = async (files: Record<string, string> = {}, from = s3, name = bucket) => {
    await rm(join(dir, 'dist'), { recursive: true, force: true })
    from.server.reset()
    const result = await buildViteHere(dir, { env: deployEnv(from, name), files })
    expect(result.code, result.output).toBe(0)
    expect(result.output).not.toMatch(/static-s3: /)
    listedTheLocationAlone(from)
    return result
  }
  const expectUnchanged = async (limit = 5, from = s3, name = bucket) => {
    const expectUntouched = untouched(name, from)
    const { output } = await build({}, from, name)
    expect(output).toMatch(/nothing to upload/)
    expect(writes(from)).toEqual([])
    expect(from.server.requests.length).toBeLessThanOrEqual(limit)
    expectUntouched()
  }

  beforeAll(async () => {
    bucket = await s3.createBucket()
    dir = await copyApp('legacy', {
      files: { ...config(), ...Object.fromEntries(paths.map((path) => [`public/${path}`, `content of ${path}`])) },
    })
    const { outDir } = await build()
    expect((await readTree(outDir)).size).toBe(3000)
    expect(siteObjects(s3, bucket).size).toBe(3000)
  })

  test('nothing changed, in a clean rebuild with new modification times: 5 requests at most, and no write', async () => {
    for (const path of paths) utimesSync(join(dir, 'public', path), 1, 1)
    await expectUnchanged()
  })

  test('5 public files changed: those 5 are uploaded, each with its backup, and a release costs 2 requests', async () => {
    const changed = [...paths.slice(0, 2), ...paths.slice(2990)]
    await build(Object.fromEntries(changed.map((path) => [`public/${path}`, `new content of ${path}`])))
    expect(keysOf(uploads())).toEqual(changed.map((path) => `static/${path}`).sort())
    expect(copies()).toEqual([])
    expect(backups()).toHaveLength(5)
    expect(ofTheRelease()).toEqual(aRelease(2))
    expect(s3.server.requests.length).toBeLessThanOrEqual(6 + 5 + 5 + 2)
    for (const path of changed)
      expect(siteObjects(s3, bucket).get(`static/${path}`)?.body.toString()).toBe(`new content of ${path}`)
  })

  test('a source file changed: the new chunks and the page are uploaded', async () => {
    const before = live(bucket)
    const { outDir } = await build({ 'src/lazy.js': `import './lazy.css'\nexport const text = 'changed'` })
    const isNew = ([path, bytes]: [string, Buffer]) => before.get(`static/${path}`)?.body !== bytes.toString('latin1')
    const changed = [...(await readTree(outDir))].filter(isNew).map(([path]) => `static/${path}`)
    expect(changed.length).toBeGreaterThanOrEqual(3)
    expect(keysOf(uploads())).toEqual(changed.sort())
    expect(copies()).toEqual([])
    expect(backups()).toHaveLength(1)
    expect(ofTheRelease()).toEqual(aRelease(3))
    expect(s3.server.requests.length).toBeLessThanOrEqual(6 + changed.length + 1 + 2)
  })

  test('Cache-Control of 200 files changed by a rule: 200 copies, and no upload', async () => {
    const before = live(bucket)
    await build(config(`{ rules: [{ match: 'ruled/**', cacheControl: 'max-age=60' }] }`))
    expect(keysOf(copies())).toEqual(ruledKeys)
    expect(uploads()).toEqual([])
    expect(ofTheRelease()).toEqual(aRelease(4))
    expect(reads().length).toBeLessThanOrEqual(6)
    for (const [key, { body, headers, metadata }] of live(bucket)) {
      const old = before.get(key)
      const expected = ruledKeys.includes(key) ? { ...old?.headers, 'cache-control': 'max-age=60' } : old?.headers
      if (body !== old?.body || JSON.stringify([headers, metadata]) !== JSON.stringify([expected, old?.metadata])) {
        expect({ key, body, headers, metadata }).toEqual({ key, ...old, headers: expected })
      }
    }
  })

  test('nothing changed, with 20,000 old objects in the location: 30 requests at most, side by side', async () => {
    const body = Buffer.from('old')
    const lastModified = new Date(0)
    const beside = ['static', 'static-admin/a.js', 'static0', 'other/static/a.js']
    s3.server.seed(bucket, [
      ...Array.from({ length: 20_000 }, (_, i) => ({
        // Before, between and behind what is ours.
        key: `static/${'aimpsz'[i % 6]}/${(i * 7919) % 20_011}.js`,
        body,
        lastModified,
      })),
      ...beside.map((key) => ({ key, body, lastModified })),
    ])
    // From then on the record knows where to split the listing.
    await build({ [`public/${paths[0]}`]: 'changed once more' })
    expect(keysOf(uploads())).toEqual([`static/${paths[0]}`])
    await expectUnchanged(30)
    expect(s3.server.requests.filter(({ query }) => query['start-after'] !== undefined).length).toBeGreaterThan(20)
    expect(siteObjects(s3, bucket).size).toBeGreaterThan(23_000)
  })
})

/** A page with lazy chunks, files without a fingerprint, a manifest and a second page, all but the icon of this version. */
function siteOf(version: string, page = 'index'): Record<string, string> {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
  return {
    ...config(),
    [`${page}.html`]: `<!doctype html><title>${version}</title><script type="module" src="/src/${page}.js"></script>`,
    [`src/${page}.js`]: `document.title = '${version} of ${page}'
${numbers(6)
  .map((i) => `import('./${page}-${i}.js')`)
  .join('\n')}`,
    ...Object.fromEntries(
      numbers(6).map((i) => [`src/${page}-${i}.js`, `document.body.append('${version} ${i} of ${page}')`]),
    ),
    ...Object.fromEntries(numbers(5).map((i) => [`public/${page}/${i}.txt`, `${version} ${i}`])),
    [`public/${page}/site.webmanifest`]: JSON.stringify({ name: version }),
    [`public/${page}/about.html`]: `<!doctype html><title>${version}</title>`,
  }
}
const filesOfSite = 7 + 5 + 1 + 2 + 1

describe('a small site', () => {
  let dir: string
  let bucket: string

  beforeAll(async () => {
    dir = await copyApp('legacy', { files: siteOf('first') })
  })
  beforeEach(async () => {
    bucket = await s3.createBucket()
  })

  interface Deploy {
    from?: string
    input?: string
    env?: Record<string, string>
  }

  /** Builds in this process, and returns what was warned of. */
  const deploy = async (options: Options = {}, { from = dir, input = 'index.html', env = {} }: Deploy = {}) => {
    stubDeployEnv(s3, bucket, env)
    s3.server.reset()
    const { said: warnings, customLogger } = listeningLogger(['warn', 'error'])
    const build = { rollupOptions: { input: join(from, input) } }
    try {
      await viteBuild('vite', from, { customLogger, build, plugins: [staticS3(options)] })
    } finally {
      vi.unstubAllEnvs()
    }
    listedTheLocationAlone()
    return warnings
  }
  const expectUnchanged = async (...how: Parameters<typeof deploy>) => {
    const expectUntouched = untouched(bucket)
    expect(await deploy(...how)).toEqual([])
    expect(writes(s3)).toEqual([])
    expectUntouched()
  }
  const first = async (...how: Parameters<typeof deploy>) => {
    expect(await deploy(...how)).toEqual([])
    expect(uploads()).toHaveLength(filesOfSite)
    return live(bucket)
  }
  const send = (command: object) => s3.client().send(command as PutObjectCommand)
  const icon = 'static/favicon.svg'

  describe('whose record can’t be used', () => {
    test.each<[what: string, damage: (record: Buffer) => Buffer, says: RegExp]>([
      ['is cut off', (record) => record.subarray(0, record.length >> 1), /99999998\.json\.gz is damaged/],
      ['is no record', () => Buffer.from('<html>'), /99999998\.json\.gz is damaged/],
      [
        'is of a newer format',
        (record) => gzipSync(gunzipSync(record).toString().replace('"format":3', '"format":4')),
        /99999998\.json\.gz was written by a newer static-s3/,
      ],
      [
        'is of another location',
        (record) => gzipSync(gunzipSync(record).toString().replace('"location":"static"', '"location":"other"')),
        /99999998\.json\.gz belongs to another location \("other"\)/,
      ],
    ])(
      'since it %s: a warning, a HEAD for each file, and no write to the site; afterwards nothing is to be done',
      async (_what, damage, says) => {
        const before = await first()
        const key = `${releases}99999998.json.gz`
        const { body } = s3.server.objects(bucket).get(key) as StoredObject
        await send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: damage(body) }))
        expect(await deploy()).toEqual([expect.stringMatching(says)])
        expect(sitePuts(s3)).toEqual([])
        expect(keysOf(heads())).toEqual([...before.keys()].sort())
        expect(ofTheRelease()).toEqual(aRelease(2, 'without a record'))
        expect(live(bucket)).toEqual(before)
        await expectUnchanged()
      },
    )
  })

  const loseRecords = () => {
    const Objects = own(bucket).map((Key) => ({ Key }))
    return send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }))
  }

  test('whose records are lost: a HEAD for each file, and no write to the site; afterwards nothing is to be done', async () => {
    const before = await first()
    await loseRecords()
    const expectUntouched = untouchedSite(bucket)
    expect(await deploy()).toEqual([])
    expect(sitePuts(s3)).toEqual([])
    expectUntouched()
    expect(keysOf(heads())).toEqual([...before.keys()].sort())
    expect(ofTheRelease()).toEqual(aRelease(1, 'without a record'))
    await expectUnchanged()
  })

  describe('that another tool has brought into the bucket', () => {
    /** As `aws s3 sync` does it: every file of the build, with these headers. */
    const fill = async (headers: (path: string) => object, emptied = '') => {
      await loseRecords()
      for (const [key, { body }] of siteObjects(s3, bucket)) {
        const Body = key.endsWith(emptied || '\0') ? '' : body
        await send(new PutObjectCommand({ Bucket: bucket, Key: key, Body, ...headers(key) }))
      }
      later()
    }
    const typeOf = (before: ReturnType<typeof live>, key: string) => before.get(key)?.headers['content-type']

    test('with the right headers: a HEAD for each file, and no write to the site; afterwards nothing is to be done', async () => {
      const before = await first()
      await fill((key) => ({
        ContentType: typeOf(before, key),
        CacheControl: before.get(key)?.headers['cache-control'],
      }))
      const expectUntouched = untouchedSite(bucket)
      expect(await deploy()).toEqual([])
      expect(sitePuts(s3)).toEqual([])
      expectUntouched()
      expect(keysOf(heads())).toEqual([...before.keys()].sort())
      expect(ofTheRelease()).toEqual(aRelease(1, 'without a record'))
      await expectUnchanged()
      expect(heads()).toEqual([])
    })

    test('without Cache-Control, and one file with other bytes: copies, and that file alone is sent', async () => {
      const before = await first()
      await fill((key) => ({ ContentType: typeOf(before, key) }), 'index/3.txt')
      expect(await deploy()).toEqual([])
      expect(keysOf(uploads())).toEqual(['static/index/3.txt'])
      expect(keysOf(copies())).toEqual([...before.keys()].filter((key) => key !== 'static/index/3.txt').sort())
      expect(keysOf(heads())).toEqual(keysOf(copies()))
      expect(backups().filter(({ operation }) => operation !== 'CopyObject')).toHaveLength(1)
      expect(live(bucket)).toEqual(before)
      await expectUnchanged()
    })
  })

  test('whose records are lost: of large files, too, nothing is sent but other bytes', async () => {
    const large = (letter: string) => letter.repeat(300_000)
    const from = await copyApp('legacy', {
      files: { ...siteOf('first'), 'public/one.bin': large('a'), 'public/two.bin': large('b') },
    })
    expect(await deploy({}, { from })).toEqual([])
    await loseRecords()
    await writeFiles(from, { 'public/two.bin': large('c') })
    expect(await deploy({}, { from })).toEqual([])
    expect(keysOf(sitePuts(s3))).toEqual(['static/two.bin'])
    expect(heads()).toHaveLength(filesOfSite + 1)
    expect(siteObjects(s3, bucket).get('static/two.bin')?.body.toString()).toBe(large('c'))
    await expectUnchanged({}, { from })
  })

  describe('deployed by who may not do everything', () => {
    const env = () => ({
      AWS_ACCESS_KEY_ID: s3.other.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.other.secretAccessKey,
    })
    const allow = async (objects: Record<string, string[]>, prefixes: string[]) => {
      const Principal = { AWS: s3.other.arn }
      const arn = `arn:aws:s3:::${bucket}`
      const Statement = [
        ...Object.entries(objects).map(([prefix, actions]) => ({
          Effect: 'Allow',
          Principal,
          Action: actions.map((name) => `s3:${name}`),
          Resource: `${arn}/${prefix}*`,
        })),
        {
          Effect: 'Allow',
          Principal,
          Action: 's3:ListBucket',
          Resource: arn,
          Condition: { StringLike: { 's3:prefix': prefixes.map((prefix) => `${prefix}*`) } },
        },
      ]
      const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
      await send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
    }
    const site = { 'static/': ['GetObject', 'PutObject'] }
    const everywhere = ['static/', '.static-s3/']
    const rightTo = (action: string) =>
      new RegExp(
        `it needs s3:${action} on arn:aws:s3:::[\\w-]+${action === 'ListBucket' ? '' : '/\\.static-s3/\\*'} \\(`,
      )

    test.each<[what: string, records: string[], prefixes: string[], says: RegExp[]]>([
      ['list the records', ['GetObject', 'PutObject'], ['static/'], [rightTo('ListBucket')]],
      [
        'read them',
        ['PutObject'],
        everywhere,
        [rightTo('GetObject'), /can't be restored later.*: access denied; it needs s3:GetObject/],
      ],
      ['write them', ['GetObject'], everywhere, [rightTo('PutObject')]],
      ['read or write them', [], everywhere, [rightTo('GetObject'), rightTo('PutObject')]],
    ])('and may not %s: a warning that names the right, and right headers', async (_what, records, prefixes, says) => {
      await first()
      await allow({ ...site, '.static-s3/': records }, prefixes)
      const options = { rules: [{ match: '*.svg', cacheControl: 'max-age=60' }] }
      const warnings = await deploy(options, { env: env() })
      expect(warnings).toEqual(says.map((each) => expect.stringMatching(each)))
      expect(uploads()).toEqual([])
      expect(live(bucket).get(icon)?.headers['cache-control']).toBe('max-age=60')
      expect(live(bucket).get('static/index.html')?.headers['cache-control']).toBe('no-cache')
    })

    test('and may not read the site: what can’t be copied is uploaded', async () => {
      const before = await first()
      await allow({ 'static/': ['PutObject'] }, ['static/'])
      expect(await deploy({}, { env: env() })).toEqual([expect.stringMatching(rightTo('ListBucket'))])
      expect(uploads()).toHaveLength(filesOfSite)
      expect(live(bucket)).toEqual(before)
    })

    test('and may not delete: nothing is missing', async () => {
      await allow({ ...site, '.static-s3/': ['GetObject', 'PutObject'] }, everywhere)
      expect(await deploy({}, { env: env() })).toEqual([])
      await expectUnchanged({}, { env: env() })
      expect(await deploy({ rules: [{ match: '*.svg', cacheControl: 'max-age=60' }] }, { env: env() })).toEqual([])
      expect(keysOf(copies())).toEqual([icon])
      expect(s3.server.requests.filter(({ operation }) => operation.startsWith('Delete'))).toEqual([])
    })
  })

  describe('changed by hand', () => {
    const page = 'static/index/about.html'
    const byHand = { Key: page, ContentType: 'text/html', CacheControl: 'max-age=9999' }
    const copied = () =>
      new CopyObjectCommand({
        ...byHand,
        Bucket: bucket,
        CopySource: `${bucket}/${page}`,
        MetadataDirective: 'REPLACE',
      })
    const put = (Body: string | Buffer) => new PutObjectCommand({ ...byHand, Bucket: bucket, Body })

    type Change = (before: ReturnType<typeof live>) => object
    const asMany: Change = (before) => put(before.get(page)?.body.replace('first', 'hands') as string)
    const deletion: Change = () => new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [{ Key: page }] } })

    test.each<[what: string, when: 'later' | 'at once', change: Change, costs: 'CopyObject' | 'PutObject']>([
      ['other headers', 'later', () => copied(), 'CopyObject'],
      ['other bytes', 'later', () => put('<!doctype html>by hand'), 'PutObject'],
      ['other bytes, as many', 'later', asMany, 'PutObject'],
      ['other bytes, as many', 'at once', asMany, 'PutObject'],
      ['the same bytes with other headers', 'later', (before) => put(before.get(page)?.body as string), 'CopyObject'],
      ['deleted', 'later', deletion, 'PutObject'],
      ['deleted', 'at once', deletion, 'PutObject'],
    ])('%s, %s: that file alone is put right', async (_what, when, change, costs) => {
      if (when === 'at once') stopped = Date.now()
      const before = await first()
      if (when === 'later') later()
      await send(change(before))
      expect(live(bucket)).not.toEqual(before)
      expect(await deploy()).toEqual([])
      expect(sitePuts(s3).map(({ operation, key }) => [operation, key])).toEqual([[costs, page]])
      expect(ofTheRelease()).toEqual(aRelease(2))
      expect(live(bucket)).toEqual(before)
      await expectUnchanged()
    })

    test('a fingerprinted file with other bytes: a warning, and that file alone', async () => {
      const before = await first()
      const [key = ''] = [...before.keys()].filter((each) => each.startsWith('static/assets/'))
      later()
      await send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'by hand' }))
      expect(await deploy()).toEqual([expect.stringMatching(`${key}: .*other bytes under the same fingerprinted name`)])
      expect(keysOf(sitePuts(s3))).toEqual([key])
      expect(live(bucket)).toEqual(before)
      await expectUnchanged()
    })
  })

  describe('with other headers', () => {
    test('metadata for all by AWS_S3_OBJECT_PARAMETERS: copies, and no upload', async () => {
      const before = await first()
      const env = { AWS_S3_OBJECT_PARAMETERS: '{"Metadata":{"built-by":"ci"}}' }
      expect(await deploy({}, { env })).toEqual([])
      expect(uploads()).toEqual([])
      expect(keysOf(copies())).toEqual([...before.keys()].sort())
      for (const [key, object] of live(bucket)) {
        expect(object).toEqual({ ...before.get(key), metadata: { 'built-by': 'ci' } })
      }
      await expectUnchanged({}, { env })
      // And back again.
      await deploy()
      expect(uploads()).toEqual([])
      expect(live(bucket)).toEqual(before)
    })

    test('a content type by a rule: copies of those files alone', async () => {
      const before = await first()
      const options = { rules: [{ match: '**/*.txt', contentType: 'text/markdown' }] }
      await deploy(options)
      const texts = [...before.keys()].filter((key) => key.endsWith('.txt'))
      expect(texts).toHaveLength(5)
      expect(
        sitePuts(s3)
          .map(({ operation, key }) => `${operation} ${key}`)
          .sort(),
      ).toEqual(texts.map((key) => `CopyObject ${key}`).sort())
      for (const key of texts) expect(live(bucket).get(key)?.headers['content-type']).toBe('text/markdown')
      await expectUnchanged(options)
    })

    test('dates, and metadata in another order: nothing is to be done the second time', async () => {
      const options = (metadata: Record<string, string>, expires: Date | string) => ({
        rules: [{ match: '**', metadata, expires }] as Options['rules'],
      })
      await deploy(options({ a: '1', b: '2' }, '2030-12-31T00:00:00Z'))
      await expectUnchanged(options({ b: '2', a: '1' }, new Date('2030-12-31T00:00:00Z')))
    })
  })

  test('that shares its location with another build: each one’s own is left alone, and writes nothing in the second round', async () => {
    const other = await copyApp('legacy', { files: siteOf('first', 'admin') })
    await rm(join(other, 'public/favicon.svg'))
    const theirs = { from: other, input: 'admin.html' }
    const before = await first()
    expect(await deploy({}, theirs)).toEqual([])
    expect(uploads()).toHaveLength(filesOfSite - 1)
    const both = live(bucket)
    expect(both.size).toBe(before.size + filesOfSite - 1)
    for (let round = 0; round < 2; round++) {
      await expectUnchanged()
      await expectUnchanged({}, theirs)
    }
    // A change in one is a change in one.
    const options = { rules: [{ match: '**/*.txt', cacheControl: 'max-age=60' }] }
    await deploy(options, theirs)
    expect(keysOf(sitePuts(s3))).toEqual([...both.keys()].filter((key) => /^static\/admin\/.*txt$/.test(key)).sort())
    await expectUnchanged()
    await expectUnchanged(options, theirs)
  })

  test('whose change is taken back: fingerprinted files are there still, and what has the same name is sent', async () => {
    const changing = await copyApp('legacy', { files: siteOf('first') })
    const from = { from: changing }
    const before = await first({}, from)
    const fingerprinted = [...before.keys()].filter((key) => key.startsWith('static/assets/'))
    await writeFiles(changing, siteOf('second'))
    await deploy({}, from)
    expect(uploads()).toHaveLength(filesOfSite - 1)
    await writeFiles(changing, siteOf('first'))
    expect(await deploy({}, from)).toEqual([])
    const sent = [...before.keys()].filter((key) => key !== icon && !fingerprinted.includes(key))
    expect(keysOf(sitePuts(s3))).toEqual(sent.sort())
    expect(sent).toContain('static/index.html')
    for (const [key, object] of before) expect(live(bucket).get(key)).toEqual(object)
    await expectUnchanged({}, from)
  })

  test('beside others in the bucket: nothing of theirs is listed or touched', async () => {
    const theirs = ['static', 'static-admin/a.js', 'static.html', 'static0', 'x/static/a.js', '.static-s3/other/a']
    s3.server.seed(
      bucket,
      theirs.map((key) => ({ key, body: Buffer.from('theirs'), lastModified: new Date(0) })),
    )
    const seeded = theirs.map((key) => s3.server.objects(bucket).get(key))
    await deploy()
    await expectUnchanged()
    expect(theirs.map((key) => s3.server.objects(bucket).get(key))).toEqual(seeded)
  })
})

describe('a deploy that stopped in the middle', () => {
  let dir: string
  let bucket: string
  let version = 0
  /** The site's objects before the last change. */
  let before: Map<string, StoredObject>

  const vite = join(import.meta.dirname, '../../node_modules/vite/bin/vite.js')
  const children: ChildProcess[] = []

  beforeAll(async () => {
    // In all, it mustn't get so far that requests are refused for it.
    ahead = 0
    bucket = await s3.createBucket()
    dir = await copyApp('legacy')
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  const build = () => {
    s3.server.reset()
    return buildViteHere(dir, { env: deployEnv(s3, bucket) })
  }

  const start = () => {
    s3.server.reset()
    const env = { PATH: process.env.PATH, HOME: dir, NODE_ENV: 'production', ...deployEnv(s3, bucket) }
    const child = spawn(process.execPath, [vite, 'build'], { cwd: dir, env, stdio: 'ignore' })
    children.push(child)
    return { child, ended: new Promise((resolve) => child.once('close', resolve)) }
  }

  const change = async (files: Record<string, string> = siteOf(`${++version}`)) => {
    await writeFiles(dir, files)
    before = siteObjects(s3, bucket)
    later()
  }

  /** What was written since the last change. */
  const written = () =>
    [...siteObjects(s3, bucket)].flatMap(([key, object]) => (before.get(key) === object ? [] : [key])).sort()

  const phases = ['fingerprinted', 'asset', 'manifest', 'html', 'record'] as const
  type Phase = (typeof phases)[number]
  const phaseOfKey = (key: string): Phase => {
    if (key.startsWith('.static-s3/')) return 'record'
    if (key.endsWith('.html')) return 'html'
    if (key.endsWith('.webmanifest')) return 'manifest'
    return key.startsWith('static/assets/') ? 'fingerprinted' : 'asset'
  }
  const isWriteOf = (phase: Phase, { method, key = '' }: LoggedRequest) =>
    method === 'PUT' && (phase === 'record' ? /\/\d{8}\.json\.gz$/.test(key) : phaseOfKey(key) === phase)

  /**
   * Begins a deploy, and ends it by a signal when so many files of a phase are written, of the last of which it wasn't told. All other
   * requests of the phase don't get through.
   *
   * @returns the keys that were written
   */
  const interrupt = async (phase: Phase, count: number, signal: NodeJS.Signals): Promise<string[]> => {
    let letGo = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const held: LoggedRequest[] = []
    let seen = 0
    s3.server.intercept = async (request): Promise<Fault | undefined> => {
      if (!isWriteOf(phase, request) || ++seen < count) return undefined
      // It's sent again, and then held as the others are.
      if (seen === count) return { destroy: 'afterWrite' }
      held.push(request)
      await gate
      return { destroy: 'before' }
    }
    const { child, ended } = start()
    const ofThePhase = () => {
      const isNewRecord = (key: string) => key.startsWith(releases) && !there.includes(key)
      const keys = phase === 'record' ? own(bucket).filter(isNewRecord) : written()
      return keys.filter((key) => phaseOfKey(key) === phase && !key.endsWith('.lock'))
    }
    const there = own(bucket)
    const isThere = vi.waitFor(() => {
      expect(ofThePhase()).toHaveLength(count)
      const heldKeys = held.map(({ key }) => key)
      expect(count === 0 ? held.length > 0 : ofThePhase().some((key) => heldKeys.includes(key))).toBe(true)
    }, patience)
    await Promise.race([isThere, ended.then(() => expect.fail('the build has ended'))])
    child.kill(signal)
    await ended
    letGo()
    await vi.waitFor(() => expect(s3.server.requests.every(({ time }) => time > 0)).toBe(true), patience)
    s3.server.intercept = undefined
    const arrived = written()
    const isBefore = (key: string) => phases.indexOf(phaseOfKey(key)) < phases.indexOf(phase)
    expect(arrived.filter((key) => !isBefore(key)).length).toBe(phase === 'record' ? 0 : count)
    return arrived
  }

  /** The next run sends what was missing, once, and all is well. */
  const expectResumed = async (arrived: readonly string[]) => {
    const backedUp = own(bucket).filter((key) => key.startsWith(backupFolder))
    const { code, output, outDir } = await build()
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/static-s3: |waiting/)
    expect(keysOf(backups()).filter((key) => backedUp.includes(key))).toEqual([])
    listedTheLocationAlone()
    const files = await readTree(outDir)
    const isNew = ([path, bytes]: [string, Buffer]) => !before.get(`static/${path}`)?.body.equals(bytes)
    const changed = [...files].filter(isNew).map(([path]) => `static/${path}`)
    expect(keysOf(uploads())).toEqual(changed.filter((key) => !arrived.includes(key)).sort())
    expect(copies()).toEqual([])
    // After the other deploy's lock, the plan is made anew: of what no record describes yet, this deploy's own files among it.
    for (const key of keysOf(heads())) expect([...arrived, ...keysOf(uploads())]).toContain(key)
    const now = live(bucket)
    for (const [path, bytes] of files) {
      const { body, headers } = now.get(`static/${path}`) ?? {}
      expect(body, path).toBe(bytes.toString('latin1'))
      const year = 'public, max-age=31536000, immutable'
      expect(headers?.['cache-control']).toBe(path.startsWith('assets/') ? year : 'no-cache')
    }
  }
  const expectUnchanged = async () => {
    const expectUntouched = untouched(bucket)
    const { output } = await build()
    expect(output).toMatch(/nothing to upload/)
    expectUntouched()
  }

  test.each<[phase: Phase, count: number, signal: NodeJS.Signals]>([
    // The first one ends the very first deploy.
    ['fingerprinted', 3, 'SIGKILL'],
    ['fingerprinted', 7, 'SIGINT'],
    ['asset', 4, 'SIGINT'],
    ['manifest', 1, 'SIGTERM'],
    ['html', 1, 'SIGKILL'],
    ['record', 0, 'SIGKILL'],
  ])('when of the %s files %i were written, by %s: what is there is not sent again', async (...where) => {
    await change()
    const arrived = await interrupt(...where)
    muchLater()
    await expectResumed(arrived)
  })

  test('and then there is nothing left to do', () => expectUnchanged())

  test('after its record was written, by SIGKILL: nothing is left to do, and the next release waits for nobody', async () => {
    await change()
    await interrupt('record', 1, 'SIGKILL')
    await expectUnchanged()
    await change()
    await expectResumed([])
  })

  test('two times: what either of them wrote is not sent again', async () => {
    await change()
    const first = await interrupt('fingerprinted', 4, 'SIGKILL')
    later()
    const second = await interrupt('asset', 3, 'SIGKILL')
    expect(second.length).toBeGreaterThan(first.length)
    expect(keysOf(uploads()).filter((key) => first.includes(key))).toEqual([])
    muchLater()
    await expectResumed(second)
  })

  test.each<[phase: Phase, name: string, others: number]>([
    ['fingerprinted', 'index-3-', 6],
    ['asset', 'index/3.txt', 4],
    ['html', 'static/index.html', 1],
  ])(
    'by an error at one of the %s files: nobody has to wait for it, and nothing is sent again',
    async (phase, name, others) => {
      await change()
      const ofThePhase = () => written().filter((key) => phaseOfKey(key) === phase)
      s3.server.intercept = async (request) => {
        if (!isWriteOf(phase, request) || !request.key?.includes(name)) return undefined
        await vi.waitFor(() => expect(ofThePhase()).toHaveLength(others), patience)
        return { status: 403, code: 'AccessDenied' }
      }
      const { code, output } = await build()
      expect(code).toBe(1)
      expect(output).toMatch(/AccessDenied/)
      s3.server.intercept = undefined
      expect(ofThePhase()).toHaveLength(others)
      await expectResumed(written())
    },
  )

  describe('among new headers', () => {
    const texts = Array.from({ length: 5 }, (_, i) => `static/index/${i}.txt`)
    const ruled = config(`{ rules: [{ match: '**/*.txt', cacheControl: 'max-age=60' }] }`)
    beforeAll(async () => {
      await change()
      await build()
    })
    const ofTexts = () => texts.map((key) => live(bucket).get(key)?.headers['cache-control'])

    test('what has them is not copied again', async () => {
      await change(ruled)
      const arrived = await interrupt('asset', 2, 'SIGKILL')
      muchLater()
      await build()
      expect(uploads()).toEqual([])
      expect(keysOf(copies())).toEqual(texts.filter((key) => !arrived.includes(key)))
      expect(ofTexts()).toEqual(Array(5).fill('max-age=60'))
      await expectUnchanged()
    })

    test('what has them gets the old ones back where the change was taken back', async () => {
      await change(config())
      await build()
      later()
      await change(ruled)
      await interrupt('asset', 2, 'SIGKILL')
      muchLater()
      await change(config())
      await build()
      expect(ofTexts()).toEqual(Array(5).fill('no-cache'))
      await expectUnchanged()
    })

    test('and no less where another deploy was recorded while it waited for the lock', async () => {
      await change(config())
      await build()
      later()
      stopped = Date.now()
      // One that begins, and doesn't get to the lock.
      await change(ruled)
      let letGo = () => {}
      const gate = new Promise<void>((resolve) => {
        letGo = resolve
      })
      const copied: LoggedRequest[] = []
      let waits = false
      s3.server.intercept = async (request): Promise<Fault | undefined> => {
        if (request.operation === 'CopyObject')
          return copied.push(request) < 3 ? undefined : { delayMs: 60_000, destroy: 'before' }
        if (waits || !request.key?.endsWith('.lock')) return undefined
        waits = true
        await gate
        return undefined
      }
      const { child, ended } = start()
      await vi.waitFor(() => expect(waits).toBe(true), patience)
      // Another one comes in between.
      await change({ ...config(), 'public/index/other.txt': 'other' })
      ahead -= 5000
      const other = await buildVite(dir, { env: deployEnv(s3, bucket), outDir: 'other' })
      expect(other.code, other.output).toBe(0)
      letGo()
      await vi.waitFor(() => expect(ofTexts().filter((each) => each === 'max-age=60')).toHaveLength(2), patience)
      child.kill('SIGKILL')
      await ended
      s3.server.intercept = undefined
      muchLater()
      await build()
      expect(ofTexts()).toEqual(Array(5).fill('no-cache'))
    })
  })
})

import { createHash } from 'node:crypto'
import { rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { runInProcess as run } from '../../fixtures/build/command-in-process.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeFolder, removeFolders, writeFiles } from '../../fixtures/build/folders.js'
import { operations, readsAlone, sitePuts, writes } from '../../fixtures/build/site.js'
import { type EmbeddedS3, type StoredObject, s3Servers, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'
import { runCommand } from '../../src/cli/command.js'
import { decodeRecord } from '../../src/release/records/format.js'

let bucket: string

const sync = (...words: string[]) => run('sync', ...words, '--json')

function use(server: TestS3, name: string): void {
  bucket = name
  for (const [variable, value] of Object.entries(deployEnv(server, name))) vi.stubEnv(variable, value)
}

afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(removeFolders)

const media = {
  'avatars/ada lovelace.jpg': 'ada',
  'avatars/ünïcödé+%2F#1.png': 'odd',
  'uploads/page.html': '<script src="https://elsewhere.example/missing.js"></script><img src="nothing.png">',
  'uploads/logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"><use href="missing.svg#x"/></svg>',
  'uploads/stats.html': 'a report by a user',
  'report.html': 'another report',
  empty: '',
  '.DS_Store': 'finder',
}
const uploaded = Object.keys(media).filter((path) => path !== '.DS_Store')

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`static-s3 sync on ${title}`, () => {
    let s3: TestS3
    beforeAll(async () => {
      s3 = await start()
    })
    beforeEach(async () => use(s3, await s3.createBucket()))
    afterAll(() => s3?.close())

    const keys = async () => {
      const { Contents = [] } = await s3.client().send(new ListObjectsV2Command({ Bucket: bucket }))
      return Contents.map(({ Key = '' }) => Key).filter((key) => !key.startsWith('.static-s3/'))
    }
    const put = (Key: string, Body: string) => s3.client().send(new PutObjectCommand({ Bucket: bucket, Key, Body }))
    const read = async (Key: string) =>
      (await s3.client().send(new GetObjectCommand({ Bucket: bucket, Key }))).Body?.transformToString()
    const cacheControl = async (Key: string) =>
      (await s3.client().send(new HeadObjectCommand({ Bucket: bucket, Key }))).CacheControl

    it('brings media up once, and deletes only what it uploaded', async () => {
      const dir = await makeFolder(media)
      await symlink(join(dir, 'empty'), join(dir, 'link'))
      // Another tool's: one is in the folder too, one is not, and two are beside the location.
      await put('media/uploads/logo.svg', media['uploads/logo.svg'])
      await put('media/by-django.jpg', 'django')
      await put('media-admin/empty', 'beside')
      await put('mediafile', 'beside')
      const first = await sync(dir, 'media', '--cache-control', 'public, max-age=86400')
      expect(first, first.stderr).toMatchObject({ code: 0, result: { status: 'live', release: 1 } })
      expect(first.result.leftOut).toEqual([{ path: '.DS_Store', reason: 'dotfile' }])
      const expected = [...uploaded, 'link', 'by-django.jpg'].map((path) => `media/${path}`)
      expect(await keys()).toEqual([...expected, 'media-admin/empty', 'mediafile'].sort())
      for (const [path, content] of Object.entries(media))
        if (path !== '.DS_Store') expect(await read(`media/${path}`), path).toBe(content)
      expect(await cacheControl('media/report.html')).toBe('public, max-age=86400')
      expect(first.result).not.toHaveProperty('deleted')

      const again = await sync(dir, 'media', '--cache-control', 'public, max-age=86400', '--delete')
      expect(again.result, again.stderr).toMatchObject({ status: 'unchanged', release: null, deleted: [], kept: 1 })

      // The folder loses four files. Another tool replaced one of their objects, and uploaded one of them in the first place.
      for (const path of ['empty', 'report.html', 'uploads/stats.html', 'uploads/logo.svg']) await rm(join(dir, path))
      await rm(join(dir, 'link'))
      await put('media/report.html', 'replaced by another tool')
      const words = [dir, 'media', '--cache-control', 'public, max-age=86400', '--delete']
      const dry = await run('sync', ...words, '--dry-run')
      expect(dry.stdout).toContain('media/empty (gone here)')
      expect(dry.stdout).toMatch(/to delete +3 .*\n +kept +3 /)
      expect(await keys()).toHaveLength(expected.length + 2)
      const third = await sync(...words)
      const gone = ['media/empty', 'media/link', 'media/uploads/stats.html']
      expect(third.result, third.stderr).toMatchObject({ status: 'live', release: 2, kept: 3, uploaded: [], bytes: 0 })
      expect(third.result.deleted.sort()).toEqual(gone)
      expect(await keys()).toEqual(
        [...expected, 'media-admin/empty', 'mediafile'].sort().filter((key) => !gone.includes(key)),
      )

      // The record has forgotten the deleted ones: an object that another tool puts there is not ours.
      await put('media/empty', '')
      const fourth = await sync(...words)
      expect(fourth.result).toMatchObject({ status: 'unchanged', deleted: [], kept: 4 })
    })

    it('never replaces an object with --skip-existing', async () => {
      const dir = await makeFolder({ 'a.jpg': 'ours', 'b.jpg': 'ours', 'c.js': 'ours' })
      await put('media/a.jpg', 'theirs')
      const first = await sync(dir, 'media', '--skip-existing')
      expect(first.result).toMatchObject({
        status: 'live',
        uploaded: ['b.jpg', 'c.js'],
        leftOut: [{ path: 'a.jpg', reason: 'existing object' }],
      })
      expect(await read('media/a.jpg')).toBe('theirs')
      await writeFile(join(dir, 'b.jpg'), 'changed')
      expect((await sync(dir, 'media', '--skip-existing')).result.status).toBe('unchanged')
      expect(await read('media/b.jpg')).toBe('ours')
      // The record never claimed to know the other object.
      expect((await sync(dir, 'media')).result.updated.sort()).toEqual(['a.jpg', 'b.jpg'])
      expect(await read('media/a.jpg')).toBe('ours')
    })

    it('lets two syncs at once end in one of their states', async () => {
      const files = (text: string) =>
        Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`${n}.txt`, `${text} ${n}`]))
      const one = await makeFolder({ ...files('one'), 'only-one.txt': 'x' })
      const two = await makeFolder({ ...files('two'), 'only-two.txt': 'x' })
      await sync(one, 'media')
      const both = await Promise.all([
        runCommand(['sync', one, 'media', '--force', '--delete']),
        runCommand(['sync', two, 'media', '--delete']),
      ])
      expect(both).toEqual([0, 0])
      const texts = new Set(
        await Promise.all(Object.keys(files('')).map(async (key) => (await read(`media/${key}`))?.slice(0, 3))),
      )
      expect(texts.size).toBe(1)
      expect((await keys()).filter((key) => key.includes('only'))).toEqual([`media/only-${[...texts][0]}.txt`])
    })
  })
}

describe('static-s3 sync', () => {
  let s3: EmbeddedS3
  beforeAll(async () => {
    s3 = await startEmbedded()
  })
  beforeEach(async () => {
    use(s3, await s3.createBucket())
    s3.server.reset()
  })
  afterEach(() => {
    s3.server.intercept = undefined
  })
  afterAll(() => s3.close())

  const objects = () => s3.server.objects(bucket)
  const keys = () => [...objects().keys()].filter((key) => !key.startsWith('.static-s3/')).sort()
  const client = () => s3.client()
  const numbered = (count: number, text = '') =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`${n}.jpg`, `${text}${n}`]))

  const loseRecords = async () => {
    for (const key of objects().keys()) {
      if (key.startsWith('.static-s3/')) await client().send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
    }
  }

  /** As Django's ManifestStaticFilesStorage writes it. */
  function collected(files: Record<string, string>): Record<string, string> {
    const hashed = Object.entries(files).map(([path, content]) => {
      const hash = createHash('md5').update(content).digest('hex').slice(0, 12)
      return [path, path.replace(/(\.\w+)$/, `.${hash}$1`), content] as const
    })
    const paths = Object.fromEntries(hashed.map(([path, name]) => [path, name]))
    return {
      ...files,
      ...Object.fromEntries(hashed.map(([, name, content]) => [name, content])),
      'staticfiles.json': JSON.stringify({ paths, version: '1.1', hash: '1f2e3d4c5b6a' }),
    }
  }

  it('caches what staticfiles.json names for a year, and brings that file up after them', async () => {
    const files = collected({ 'admin/css/base.css': 'body{}', 'js/app.js': 'run()', 'img/logo.svg': '<svg/>' })
    const dir = await makeFolder(files)
    const { result, stderr } = await sync(dir)
    expect(result, stderr).toMatchObject({ status: 'live', location: 'static', warnings: [] })
    const year = [...objects()].filter(([, { headers }]) => /immutable/.test(String(headers['cache-control'])))
    expect(year.map(([key]) => key).sort()).toEqual(
      Object.values(JSON.parse(files['staticfiles.json'] as string).paths)
        .map((path) => `static/${path}`)
        .sort(),
    )
    expect(objects().get('static/staticfiles.json')?.headers['cache-control']).toBe('no-cache')
    expect(sitePuts(s3).at(-1)?.key).toBe('static/staticfiles.json')
    // One value for all files.
    const second = await sync(dir, '--cache-control', 'max-age=60')
    expect(second.result.headers).toHaveLength(Object.keys(files).length)
  })

  it('sends nothing for 3,000 unchanged files', async () => {
    const dir = await makeFolder(numbered(3000))
    await sync(dir, 'media')
    s3.server.reset()
    const { result } = await sync(dir, 'media', '--delete')
    expect(result).toMatchObject({ status: 'unchanged', deleted: [] })
    expect(writes(s3)).toEqual([])
    // Three pages of the location, and the locations inside.
    expect(operations(s3)).toEqual([...readsAlone, ...Array(3).fill('ListObjectsV2')])
  })

  it('brings up a file of over 100 MB in parts, once, and deletes it', async () => {
    const dir = await makeFolder({ 'film.mp4': '', 'a.jpg': 'a' })
    await truncate(join(dir, 'film.mp4'), 101 * 1024 ** 2)
    const first = await sync(dir, 'media')
    expect(first.result, first.stderr).toMatchObject({ status: 'live', uploaded: ['a.jpg', 'film.mp4'] })
    expect(objects().get('media/film.mp4')).toMatchObject({ etag: expect.stringMatching(/-\d+$/) })
    s3.server.reset()
    expect((await sync(dir, 'media')).result).toMatchObject({ status: 'unchanged' })
    expect(operations(s3)).toEqual(readsAlone)
    await rm(join(dir, 'film.mp4'))
    expect((await sync(dir, 'media', '--delete')).result).toMatchObject({ deleted: ['media/film.mp4'], kept: 0 })
    expect(keys()).toEqual(['media/a.jpg'])
  })

  it('stores stylesheets and scripts as gzip with --compress, and deletes them like others', async () => {
    const css = Array.from({ length: 300 }, (_, n) => `.a${n}{top:${n * 7919}px}`).join('')
    const files = collected({ 'admin/base.css': css, 'admin/app.js': `run('${css}')`, 'img/photo.jpg': css })
    const dir = await makeFolder(files)
    const first = await sync(dir, 'django', '--compress')
    expect(first.result, first.stderr).toMatchObject({ status: 'live', warnings: [] })
    for (const [path, content] of Object.entries(files)) {
      const { body, headers } = objects().get(`django/${path}`) as StoredObject
      const isGzip = /\.(css|js)$/.test(path)
      expect(headers['content-encoding'], path).toBe(isGzip ? 'gzip' : undefined)
      expect(String(isGzip ? gunzipSync(body) : body), path).toBe(content)
    }
    const again = async () => {
      s3.server.reset()
      return (await sync(dir, 'django', '--compress', '--delete')).result
    }
    expect(await again()).toMatchObject({ status: 'unchanged', deleted: [] })
    expect(operations(s3)).toEqual([...readsAlone, 'ListObjectsV2'])
    // A HEAD request for each file, and a new record.
    await loseRecords()
    expect(await again()).toMatchObject({ uploaded: [], updated: [], headers: [], deleted: [] })
    expect(operations(s3).filter((each) => each === 'HeadObject')).toHaveLength(Object.keys(files).length)
    expect(sitePuts(s3)).toEqual([])
    await loseRecords()
    await sync(dir, 'django', '--compress', '--force')
    const [gone = ''] = Object.keys(files).filter((path) => /base\.\w+\.css/.test(path))
    for (const path of [gone, 'admin/base.css']) await rm(join(dir, path))
    const { deleted } = await again()
    expect(deleted.sort()).toEqual([`django/${gone}`, 'django/admin/base.css'].sort())
    // Switched off, each of them is sent in its other form.
    expect((await sync(dir, 'django')).result.updated).toHaveLength(2)
    expect(objects().get('django/admin/app.js')?.headers).not.toHaveProperty('content-encoding')
  })

  it('refuses to delete many objects, and an empty folder', async () => {
    const dir = await makeFolder(numbered(60))
    await sync(dir, 'media')
    for (let n = 0; n < 20; n++) await rm(join(dir, `${n}.jpg`))
    s3.server.reset()
    const refused = await sync(dir, 'media', '--delete')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/20 objects would be deleted .*limit is 15.*--max-delete 20\. Nothing was deleted/)
    expect(writes(s3)).toEqual([])
    const dry = await sync(dir, 'media', '--delete', '--dry-run')
    expect(dry).toMatchObject({
      code: 0,
      result: { status: 'dry run', warnings: [expect.stringContaining('20 objects')] },
    })
    expect(dry.result.deleted).toHaveLength(20)
    expect((await sync(dir, 'media', '--delete', '--max-delete', '20')).result.deleted).toHaveLength(20)
    const empty = await makeFolder({ '.gitkeep': '' })
    const wiped = await sync(empty, 'media', '--delete', '--max-delete', '1000')
    expect(wiped).toMatchObject({ code: 1, stderr: expect.stringContaining('has no files to sync') })
    expect(keys()).toHaveLength(40)
  })

  it('deletes nothing of a location inside its own', async () => {
    const outer = await makeFolder({ 'a.jpg': 'a', 'inner/f.txt': 'f' })
    const inner = await makeFolder({ 'f.txt': 'f' })
    await sync(outer, 'media')
    await sync(inner, 'media/inner')
    await rm(join(outer, 'inner'), { recursive: true })
    expect((await sync(outer, 'media', '--delete')).result.deleted).toEqual([])
    expect(keys()).toEqual(['media/a.jpg', 'media/inner/f.txt'])
  })

  it('leaves a folder beside the selection alone', async () => {
    const dir = await makeFolder({ 'a.jpg': 'a', 'b.png': 'b', 'c.jpg': 'c' })
    await sync(dir, 'media')
    for (const name of ['a.jpg', 'b.png']) await rm(join(dir, name))
    const { result } = await sync(dir, 'media', '--delete', '--include', '*.jpg')
    expect(result.deleted).toEqual(['media/a.jpg'])
    expect((await sync(dir, 'media', '--delete', '--exclude', '*.png')).result.deleted).toEqual([])
    expect((await sync(dir, 'media', '--delete')).result.deleted).toEqual(['media/b.png'])
  })

  it('stays away from builds: at the location, above and below', async () => {
    const build = await makeFolder({ 'app.js': 'app', 'a.jpg': 'a' })
    const dir = await makeFolder({ 'a.jpg': 'a' })
    expect((await run('deploy', build, '--location', 'shop/static')).code).toBe(0)
    const before = keys()
    for (const location of ['shop/static', 'shop', 'shop/static/media', '']) {
      const refused = await sync(dir, location, '--delete')
      expect(refused.stderr, location).toMatch(
        /shop\/static has the release of a build \(static-s3 deploy\).*static-s3 sync/,
      )
      expect(refused.code).toBe(1)
    }
    expect(keys()).toEqual(before)
    vi.stubEnv('STATIC_URL', 'https://example.com/static/')
    const beside = await sync(dir, 'shop/static-media')
    expect(beside, beside.stderr).toMatchObject({ code: 0, result: { warnings: [] } })
    vi.stubEnv('STATIC_URL', undefined)
    // Another folder into the same location, by mistake.
    const other = await makeFolder({ 'other.css': 'x' })
    expect((await sync(other, 'shop/static-media')).stderr).toContain('none of its 1 recorded files')
    // A build's first release looks at the same places, and so does a promotion.
    for (const location of ['shop/static-media', 'shop', 'shop/static-media/a', '']) {
      s3.server.reset()
      const refused = await run('deploy', build, '--location', location)
      expect(refused.stderr, location).toMatch(
        /shop\/static-media has the files of a folder \(static-s3 sync\).*AWS_LOCATION.*\nThe site stands as it was\.$/m,
      )
      expect({ code: refused.code, writes: writes(s3) }).toEqual({ code: 1, writes: [] })
      expect((await run('plan', build, '--location', location)).stderr).toContain('has the files of a folder')
    }
    expect((await run('promote', 'shop/static', 'shop/static-media')).stderr).toContain('has the files of a folder')
    expect((await run('promote', 'shop/static-media', 'other')).stderr).toContain('promote copies builds only')
    // After it, no request is spent on others.
    s3.server.reset()
    expect((await run('deploy', build, '--location', 'shop/static')).code).toBe(0)
    expect(operations(s3)).toEqual(readsAlone)
    await writeFiles(build, {
      '.static-s3.json':
        '{"format":1,"version":"0","builds":[{"bundler":"vite 8.4.0","publicUrl":"https://cdn.example.com/","base":"/","options":{},"exposed":[],"fingerprinted":{},"emitted":[],"namedDotfiles":[],"notOurs":[],"leftOut":{}}]}',
    })
    expect((await sync(build, 'media')).stderr).toContain('is the output folder of a build')
  })

  const toMedia = {
    build: (dir: string) => ['deploy', dir, '--location', 'media'],
    sync: (dir: string) => ['sync', dir, 'media'],
  }

  it.each([
    ['sync', 'build', 'release of a build'],
    ['build', 'sync', 'files of a folder'],
  ] as const)('a %s does not mix with a %s that takes the lock first', async (late, early, message) => {
    const dir = await makeFolder({ 'late.js': 'late' })
    const first = await makeFolder({ 'first.js': 'first' })
    let isDone = false
    s3.server.intercept = async ({ key }) => {
      if (isDone || !key?.endsWith('.lock')) return undefined
      isDone = true
      await runCommand(toMedia[early](first))
      return undefined
    }
    const { code, stderr } = await run(...toMedia[late](dir))
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(message) })
    expect(keys()).toEqual(['media/first.js'])
  })

  it('does not know records that its credentials may not read', async () => {
    const dir = await makeFolder({ 'a.jpg': 'a' })
    await sync(dir, 'media')
    s3.server.intercept = ({ query }) =>
      query.prefix === '.static-s3/media/releases/' || query.prefix === '.static-s3/releases/'
        ? { status: 403, code: 'AccessDenied' }
        : undefined
    const { code, result, stderr } = await run('deploy', dir, '--location', 'media/x', '--json')
    expect({ code, warnings: result.warnings }, stderr).toEqual({ code: 0, warnings: [] })
  })

  it('knows every location around, and reads one record of each', async () => {
    const dir = await makeFolder({ 'a.jpg': 'a' })
    const build = await makeFolder({ 'app.js': 'app' })
    for (let n = 0; n < 22; n++) await sync(dir, `media/${n}`)
    await writeFile(join(dir, 'a.jpg'), 'b')
    await sync(dir, 'media/7')
    s3.server.reset()
    expect((await sync(dir, 'media')).code).toBe(0)
    expect(operations(s3).filter((operation) => operation === 'GetObject')).toHaveLength(22)
    expect((await run('deploy', build, '--location', 'media/x/builds')).stderr).toContain('media has the files')
    expect((await run('deploy', build, '--location', 'builds/22')).code).toBe(0)
    for (let n = 0; n < 22; n++) await sync(dir, `builds/${n}`)
    expect((await sync(dir, 'builds')).stderr).toContain('builds/22 has the release of a build')
  })

  it('deletes nothing after the record is lost', async () => {
    const dir = await makeFolder({ 'a.jpg': 'a', 'b.jpg': 'b' })
    await sync(dir, 'media')
    await loseRecords()
    await rm(join(dir, 'a.jpg'))
    expect((await sync(dir, 'media', '--delete')).result).toMatchObject({ deleted: [], kept: 1 })
    expect(keys()).toEqual(['media/a.jpg', 'media/b.jpg'])
  })

  it('goes on where a refused or interrupted cleanup stopped, and knows its uploads', async () => {
    const dir = await makeFolder(numbered(12))
    await sync(dir, 'media')
    for (let n = 0; n < 6; n++) await rm(join(dir, `${n}.jpg`))
    await writeFile(join(dir, 'new.jpg'), 'new')
    let deletes = 0
    s3.server.intercept = ({ operation }) =>
      operation === 'DeleteObject' && ++deletes > 3 ? { status: 403, code: 'AccessDenied' } : undefined
    const refused = await sync(dir, 'media', '--delete', '--concurrency', '1')
    expect(refused.stderr).toMatch(/DELETE s3:.*s3:DeleteObject on arn/s)
    s3.server.intercept = undefined
    expect(keys()).toHaveLength(12 - 3 + 1)
    const { result } = await sync(dir, 'media', '--delete')
    expect(result).toMatchObject({ status: 'live', uploaded: [], kept: 0 })
    expect(result.deleted).toHaveLength(3)
    await rm(join(dir, 'new.jpg'))
    expect((await sync(dir, 'media', '--delete')).result.deleted).toEqual(['media/new.jpg'])
    const newest = [...objects()].filter(([key]) => key.endsWith('.json.gz')).sort()[0]?.[1]
    const { objects: recorded } = await decodeRecord('media', newest?.body ?? Buffer.alloc(0))
    expect([...recorded.keys()].sort()).toEqual(Object.keys(numbered(12)).slice(6).sort())
  })

  it('keeps an object that changes while the cleanup runs', async () => {
    const dir = await makeFolder({ 'a.jpg': 'a', 'b.jpg': 'b' })
    await sync(dir, 'media')
    await rm(join(dir, 'a.jpg'))
    let isChanged = false
    s3.server.intercept = async ({ operation }) => {
      if (operation !== 'DeleteObject' || isChanged) return undefined
      isChanged = true
      await client().send(new PutObjectCommand({ Bucket: bucket, Key: 'media/a.jpg', Body: 'by django' }))
      return undefined
    }
    expect((await sync(dir, 'media', '--delete')).result.deleted).toEqual([])
    expect(String(objects().get('media/a.jpg')?.body)).toBe('by django')
  })

  it('deletes no bytes of another tool, even after it gave their object other headers', async () => {
    const dir = await makeFolder({ 'a.jpg': 'a', 'b.jpg': 'b' })
    await client().send(new PutObjectCommand({ Bucket: bucket, Key: 'media/a.jpg', Body: 'a' }))
    expect((await sync(dir, 'media')).result).toMatchObject({ headers: ['a.jpg'], uploaded: ['b.jpg'] })
    await rm(join(dir, 'a.jpg'))
    expect((await sync(dir, 'media', '--delete')).result).toMatchObject({ deleted: [], kept: 1 })
    // A copy by hand of one of ours is not ours.
    await client().send(
      new CopyObjectCommand({ Bucket: bucket, Key: 'media/copy.jpg', CopySource: `${bucket}/media/b.jpg` }),
    )
    expect((await sync(dir, 'media', '--delete')).result).toMatchObject({ deleted: [], kept: 2 })
  })

  it.each([
    [[], /needs a folder/],
    [['DIR', 'a', 'b'], /remove b/],
    [['DIR', '--delete', '--max-delete', 'all'], /--max-delete is all/],
    [['DIR', '--max-delete', '3'], /needs --delete/],
    [['DIR', '--skip-existing', '--force'], /choose one/],
  ])('does not understand %j', async (words, message) => {
    const dir = await makeFolder({ a: 'a' })
    const { code, stderr } = await run('sync', ...words.map((word) => (word === 'DIR' ? dir : word)))
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(message) })
  })
})

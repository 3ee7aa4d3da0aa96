import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { runInProcess } from '../../fixtures/build/command-in-process.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { type EmbeddedS3, s3Servers, type TestS3 } from '../../fixtures/s3/index.js'

// Buckets as other tools leave them: the first deploy sends no byte that is there, and no later command deletes an object of theirs.

async function run(...words: string[]) {
  const { code, stdout, stderr } = await runInProcess(...words)
  expect(code, stderr).toBe(0)
  return { stdout, stderr }
}

afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(removeFolders)

const video = 'v'.repeat(300_000)
const scriptOf = (n: number) => {
  const code = `title(${n})`
  return { code, file: `assets/main-${createHash('md5').update(code).digest('hex').slice(0, 8)}.js` }
}
/** A build by Vite, by hand. */
function build(n: number): Record<string, string> {
  const { code, file } = scriptOf(n)
  const manifest = { 'src/main.js': { file, src: 'src/main.js', isEntry: true } }
  return {
    ...{ 'index.html': `<title>${n}</title>`, [file]: code, '.vite/manifest.json': JSON.stringify(manifest) },
    ...(n === 1 ? { 'about.html': 'about', 'robots.txt': 'robots', 'video.mp4': video } : {}),
  }
}

const year = 'max-age=31536000'
const type = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' }
/** What each tool stores for our first build, and with which headers. */
const theirs: Record<string, Partial<PutObjectCommandInput>> = {
  // A plugin that gives everything the same headers.
  'static/index.html': { Body: build(1)['index.html'], CacheControl: year, ContentType: type.html },
  // `aws s3 sync`.
  [`static/${scriptOf(1).file}`]: { Body: scriptOf(1).code, ContentType: 'application/javascript' },
  'static/about.html': { Body: 'about', ContentType: 'text/html' },
  'static/video.mp4': { Body: video, ContentType: 'video/mp4' },
  // s3cmd, and encryption.
  'static/robots.txt': { Body: 'robots', Metadata: { 's3cmd-attrs': 'md5:1' }, ServerSideEncryption: 'AES256' },
}
/** What no build of ours has. */
const foreign: Record<string, Partial<PutObjectCommandInput>> = {
  // django-storages.
  'static/admin/css/base.css': { Body: gzipSync('body {}'), ContentEncoding: 'gzip', ContentType: 'text/css' },
  'static/assets/main-0a1b2c3d.js': { Body: 'an old build', CacheControl: year },
  'static/Index.html': { Body: 'another case' },
  'static/a%20b.txt': { Body: 'encoded' },
  'static/a b.txt': { Body: 'not encoded' },
  'static/': { Body: Buffer.alloc(0) },
  'static-admin/index.html': { Body: 'beside' },
  'media/photo.jpg': { Body: 'elsewhere' },
}
const pruneAll = ['--keep-releases', '1', '--keep-days', '0', '--unreferenced', '--max-delete', '1000']

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`a bucket of another tool on ${title}`, () => {
    let s3: TestS3
    let bucket: string
    beforeAll(async () => {
      s3 = await start()
    })
    beforeEach(async () => {
      bucket = await s3.createBucket()
      for (const [variable, value] of Object.entries(deployEnv(s3, bucket))) vi.stubEnv(variable, value)
    })
    afterAll(() => s3?.close())

    const listing = async () => {
      const { Contents = [] } = await s3.client().send(new ListObjectsV2Command({ Bucket: bucket }))
      return new Map(Contents.map(({ Key = '', ETag, LastModified }) => [Key, `${ETag} ${LastModified?.getTime()}`]))
    }
    const fill = async (objects: typeof theirs) => {
      // Ceph here has no encryption.
      for (const [Key, more] of Object.entries(objects))
        await s3.client().send(
          new PutObjectCommand({
            ...{ Bucket: bucket, Key },
            ...(s3.name === 'ceph' ? { ...more, ServerSideEncryption: undefined } : more),
          }),
        )
    }
    const ofForeign = async () => [...(await listing())].filter(([key]) => foreign[key])
    const head = (Key: string) => s3.client().send(new HeadObjectCommand({ Bucket: bucket, Key }))
    const read = async (Key: string) =>
      (await s3.client().send(new GetObjectCommand({ Bucket: bucket, Key }))).Body?.transformToString()
    const deploy = async (n: number) => run('deploy', await makeFolder(build(n)))

    it('is taken over without a second upload, and nothing of theirs is ever deleted', async () => {
      await fill({ ...theirs, ...foreign })
      const before = await ofForeign()
      expect(before).toHaveLength(Object.keys(foreign).length)
      if (s3.name === 'embedded') (s3 as EmbeddedS3).server.reset()
      await deploy(1)
      if (s3.name === 'embedded') {
        const bodies = (s3 as EmbeddedS3).server.requests.filter(({ method, size }) => method === 'PUT' && size > 0)
        expect(bodies.map(({ key }) => key).filter((key) => !/\.lock$|\.json\.gz$/.test(key ?? ''))).toEqual([])
      }
      expect((await head('static/index.html')).CacheControl).toBe('no-cache')
      expect((await head(`static/${scriptOf(1).file}`)).CacheControl).toContain('immutable')
      expect((await head('static/robots.txt')).Metadata).toEqual({})
      expect(await ofForeign()).toEqual(before)
      await deploy(1)

      await deploy(2)
      await run('rollback')
      expect(await read('static/index.html')).toBe('<title>1</title>')
      expect(await read('static/about.html')).toBe('about')
      await run('resume')
      await deploy(3)
      await deploy(4)
      const { stdout } = await run('prune', ...pruneAll)
      const after = await listing()
      expect(after.has(`static/${scriptOf(3).file}`), stdout).toBe(false)
      // Adopted, and in no kept release.
      const adopted = Object.keys(theirs).filter((key) => key !== 'static/index.html')
      expect(adopted.filter((key) => !after.has(key))).toEqual([])
      expect(await ofForeign()).toEqual(before)
    })

    it('stays whole after the records are lost, and after a second adoption', async () => {
      await fill({ ...theirs, ...foreign })
      await deploy(1)
      await deploy(2)
      for (const key of (await listing()).keys())
        if (key.startsWith('.static-s3/')) await s3.client().send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
      const before = new Set((await listing()).keys())
      await deploy(2)
      await deploy(3)
      await run('prune', ...pruneAll)
      const after = await listing()
      expect([...before].filter((key) => !after.has(key))).toEqual([])
    })

    it('gives up an object that a release writes: a page of theirs becomes ours', async () => {
      await fill({ ...theirs, 'static/about.html': { Body: 'their own page' } })
      await deploy(1)
      expect(await read('static/about.html')).toBe('about')
      await deploy(2)
      await run('prune', ...pruneAll)
      const after = await listing()
      expect(after.has('static/about.html')).toBe(false)
      expect(after.has('static/robots.txt')).toBe(true)
    })

    it('has a file in parts, which is sent once more: its ETag is no MD5', async () => {
      const Key = 'static/video.mp4'
      const Bucket = bucket
      const { UploadId } = await s3.client().send(new CreateMultipartUploadCommand({ Bucket, Key }))
      const part = { Bucket, Key, UploadId, PartNumber: 1 }
      const { ETag } = await s3.client().send(new UploadPartCommand({ ...part, Body: video }))
      const MultipartUpload = { Parts: [{ ETag, PartNumber: 1 }] }
      await s3.client().send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }))
      await deploy(1)
      const [, md5] = /"(.*)"/.exec((await listing()).get(Key) ?? '') ?? []
      expect(md5).toBe(createHash('md5').update(video).digest('hex'))
    })
  })
}

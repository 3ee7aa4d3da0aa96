import { hash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { bodyOfBytes } from '../../src/bucket/bucket.js'
import { canonicalHeaders } from '../../src/bucket/headers.js'
import { downloadTexts } from '../../src/promote/download.js'
import { readSourceRelease } from '../../src/promote/source-release.js'
import { encodeRecord } from '../../src/release/records/format.js'
import type { RecordedObject } from '../../src/release/records/record.js'
import { recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'

const from = { bucket: 'b', location: 'staging' }
const { signal } = new AbortController()

/** A bucket with a release in `staging`, as files of another location. */
async function released(contents: Record<string, string>, location = 'static') {
  const bucket = memoryBucket()
  const objects = new Map<string, RecordedObject>()
  for (const [path, text] of Object.entries(contents)) {
    const { etag, writtenAt } = await bucket.put(`staging/${path}`, bodyOfBytes(Buffer.from(text)), {})
    const [sha256, headers] = [hash('sha256', text), canonicalHeaders({})]
    const fingerprinted = path.includes('-1234')
    objects.set(path, { sha256, size: text.length, etag, writtenAt, headers, fingerprinted, release: 1 })
  }
  const record = await encodeRecord('staging', {
    ...{ id: 'of 1', by: 'ada', commit: undefined, bundler: 'vite', at: new Date(0) },
    ...{ release: 1, live: 1, conditionalWrites: true, splitAt: [], objects },
  })
  await bucket.put(recordKey(releasesFolder('staging'), 1), bodyOfBytes(record), {})
  const dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const source = await readSourceRelease({ bucket, from, to: { location }, dir, signal })
  const texts = (...fromUrls: string[]) =>
    downloadTexts(source.files, { bucket, signal, concurrency: 4, fromUrls, toUrl: 'https://cdn.example/static/' })
  return { bucket, dir, source, texts }
}

test('an older release does not stand in for one whose record is damaged', async () => {
  const { bucket, dir } = await released({ 'a-1234.js': '' })
  await bucket.put(recordKey(releasesFolder('staging'), 2), bodyOfBytes(Buffer.from('damaged')), {})
  await expect(readSourceRelease({ bucket, from, to: { location: 'static' }, dir, signal })).rejects.toThrow(
    /^static-s3: s3:\/\/b\/staging: deploy it again, then promote\nthe newest record is not used.*99999997\.json\.gz is damaged/,
  )
})

test.each([
  [
    'a path out of the location',
    '../../outside.js',
    'static',
    /^\.\.\/\.\.\/outside\.js: its name leads out of the location/,
  ],
  [
    'a name too long for the new location',
    'a'.repeat(1000),
    'b'.repeat(100),
    /: its key has 1101 bytes, and S3 takes 1,024 at most$/,
  ],
])('%s is a problem', async (_what, path, location, problem) => {
  const { source } = await released({ [path]: 'text' }, location)
  expect(source.problems).toEqual([expect.stringMatching(problem)])
})

test('scripts without pages tell the domain of the build', async () => {
  const { texts } = await released({
    'a-1234.js': 'import(`https://own.example/staging/b-1234.js`)',
    'b-1234.js': 'export {}',
  })
  const { problems } = await texts('https://cdn.example/staging/')
  expect(problems).toEqual([expect.stringMatching(/^a-1234\.js contains the URL of the location that it comes from/)])
})

test('sitemaps and payloads without a fingerprint get the new URL, and other files are not downloaded', async () => {
  const { dir, texts } = await released({
    'index.txt': '1:["https://own.example/staging/a-1234.css"]',
    'sitemap.xml': '<loc>https://own.example/staging/a.pdf</loc>',
    'a-1234.css': '',
    'a.pdf': 'https://own.example/staging/',
  })
  const downloaded = await texts('https://cdn.example/staging/')
  expect(downloaded.problems).toEqual([])
  expect([...downloaded.texts].map(({ path }) => path).sort()).toEqual(['a-1234.css', 'index.txt', 'sitemap.xml'])
  expect(await readFile(join(dir, 'index.txt'), 'utf8')).toBe('1:["https://cdn.example/static/a-1234.css"]')
  expect(await readFile(join(dir, 'sitemap.xml'), 'utf8')).toBe('<loc>https://cdn.example/static/a.pdf</loc>')
})

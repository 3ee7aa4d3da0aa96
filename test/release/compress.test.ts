import { hash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import type { ObjectParameters } from '../../src/bucket/bucket.js'
import { bodyOfFile, compressed } from '../../src/files/file-body.js'
import type { HashedFile } from '../../src/files/hash.js'
import type { Lock } from '../../src/release/lock/lock.js'
import { makePlan } from '../../src/release/make-plan.js'
import { takeSurvey } from '../../src/release/survey.js'
import { startUpload } from '../../src/release/upload/upload.js'
import { writeRecord } from '../../src/release/write-record.js'

// Files that are stored as gzip: what is sent, and what is unchanged. Twins of another level stand for another zlib, whose bytes differ too.

const js = { CacheControl: 'no-cache', ContentType: 'text/javascript' }
const gzipped = { ...js, ContentEncoding: 'gzip' }
const text = Array.from({ length: 400 }, (_, i) => `export const name${i} = ${i * 7919}\n`).join('')
const noise = Buffer.from(Array.from({ length: 2000 }, (_, i) => hash('md5', `${i}`, 'buffer')[0] as number))
const [level1, level9] = [gzipSync(text, { level: 1 }), gzipSync(text, { level: 9 })]
const { signal } = new AbortController()

let time: number
let bucket: ReturnType<typeof memoryBucket>
let warnings: string[]
let dir: string
let releases: number

beforeEach(async () => {
  time = Date.UTC(2026, 0, 1)
  bucket = memoryBucket({ now: () => time })
  warnings = []
  releases = 0
  dir = await makeFolder({ 'app-1.js': text })
})
afterAll(removeFolders)

const file = (content: string | Buffer = text, more: Partial<HashedFile> = {}): HashedFile => ({
  ...{ path: 'app-1.js', dir, key: 'static/app-1.js', group: 'fingerprinted', parameters: js, compress: true },
  ...{ size: content.length, sha256: hash('sha256', content), md5: hash('md5', content), ...more },
})
const off = { compress: false }
const twin = (bytes: Buffer) => writeFile(join(dir, 'app-1.js.gz'), bytes)
const object = () => bucket.objects.get('static/app-1.js')

interface DeployOptions {
  isRecorded?: boolean
  force?: boolean
  fileOverwrite?: boolean
}

/** @returns the decision about the file, in words */
async function deploy(built: HashedFile, { isRecorded = true, ...options }: DeployOptions = {}) {
  time += 5000
  const survey = await takeSurvey(bucket, 'static')
  const settings = { force: false, fileOverwrite: true, concurrency: 4, ...options }
  const plan = await makePlan({ files: [built], bucket, settings, warn: (each) => warnings.push(each) }, survey)
  const upload = startUpload(bucket, 4, () => {})
  await upload.run(plan, 'all')
  const deployer = { id: 'id', by: 'ada', commit: undefined, bundler: 'vite' }
  const lock = { release: ++releases, conditionalWrites: true, signal, check: () => {} } as Lock
  const carriedOut = { location: 'static', deployer, plan, survey, ...upload, kind: 'live', hold: undefined } as const
  if (isRecorded) await writeRecord(bucket, lock, carriedOut, {}, signal)
  return plan.decisions.map(({ action, reason }) => `${action} ${reason}`).join()
}

test('gzip of level 9 is stored with its own headers; the next deploy does not even read the file', async () => {
  expect(await deploy(file())).toBe('upload new')
  expect(object()).toEqual({ bytes: level9, parameters: gzipped })
  await rm(dir, { recursive: true })
  expect(await deploy(file())).toBe('skip unchanged')
  expect(await deploy(file(text, { content: undefined, md5: undefined }))).toBe('skip unchanged')
})

test.each<[what: string, content: string | Buffer, more?: Partial<HashedFile>]>([
  ['tiny', 'export {}'],
  ['no smaller as gzip', noise],
  ['of a type that stays as it is', text, off],
])('a file that is %s stays as it is', async (_what, content, more) => {
  await writeFile(join(dir, 'app-1.js'), content)
  expect(await deploy(file(content, more))).toBe('upload new')
  expect(object()).toEqual({ bytes: Buffer.from(content), parameters: js })
  expect(await deploy(file(content, more))).toBe('skip unchanged')
  expect(warnings).toEqual([])
})

test('another zlib changes nothing', async () => {
  await twin(level1)
  await deploy(file())
  expect(object()?.bytes.equals(level1)).toBe(true)
  await rm(join(dir, 'app-1.js.gz'))
  expect(await deploy(file())).toBe('skip unchanged')
  // With new headers, the bytes go along, and nobody is warned of other bytes.
  const parameters = { ...js, CacheControl: 'max-age=60' }
  expect(await deploy(file(text, { parameters }), { fileOverwrite: false })).toBe('upload size')
  expect(object()).toEqual({ bytes: level9, parameters: { ...parameters, ContentEncoding: 'gzip' } })
  expect(await deploy(file())).toBe('copy headers')
  expect(object()).toEqual({ bytes: level9, parameters: gzipped })
  expect(warnings).toEqual([])
})

test('without a record, the same zlib sends nothing, and another one sends the file without a warning', async () => {
  await deploy(file(), { isRecorded: false })
  expect(await deploy(file(), { isRecorded: false })).toBe('skip already there')
  await twin(level1)
  expect(await deploy(file(), { isRecorded: false, fileOverwrite: false })).toBe('upload size')
  expect(object()).toEqual({ bytes: level1, parameters: gzipped })
})

test('switched on and off, it sends the file in its other form, and warns of no other bytes', async () => {
  const strict = { fileOverwrite: false }
  expect(await deploy(file(text, off))).toBe('upload new')
  expect(await deploy(file(), strict)).toBe('upload size')
  expect(object()).toEqual({ bytes: level9, parameters: gzipped })
  expect(await deploy(file(text, off), strict)).toBe('upload size')
  expect(object()).toEqual({ bytes: Buffer.from(text), parameters: js })
})

test('other content under a fingerprinted name is still an error', async () => {
  await deploy(file())
  const other = `${text}// more`
  await writeFile(join(dir, 'app-1.js'), other)
  await expect(deploy(file(other), { fileOverwrite: false })).rejects.toThrow(
    'other bytes under the same fingerprinted',
  )
  expect(await deploy(file(other))).toBe('upload size')
  expect(warnings).toEqual([expect.stringContaining('other bytes under the same fingerprinted name')])
})

test('force sends it, and somebody else’s change of headers is undone', async () => {
  await deploy(file())
  expect(await deploy(file(), { force: true })).toBe('upload forced')
  time += 5000
  await bucket.copy('static/app-1.js', 'static/app-1.js', js satisfies ObjectParameters)
  expect(await deploy(file())).toBe('copy headers')
  expect(object()).toEqual({ bytes: level9, parameters: gzipped })
})

test.each([
  ['of another content', gzipSync(text.replace('7919', '7918'))],
  ['of a longer content', gzipSync(`${text}\n`)],
  ['that is damaged', level9.subarray(0, -20)],
  ['with zeros behind it', Buffer.concat([level1, Buffer.alloc(8)])],
  ['with other bytes behind it', Buffer.concat([level1, Buffer.from('junk')])],
  ['in two members', Buffer.concat([gzipSync(text.slice(0, 100)), gzipSync(text.slice(100))])],
  ['with an empty member behind it', Buffer.concat([level1, gzipSync('')])],
])('a compressed copy %s is not used, with a warning', async (_what, bytes) => {
  await twin(bytes)
  await deploy(file())
  expect(object()?.bytes.equals(level9)).toBe(true)
  expect(warnings).toEqual(['app-1.js.gz: not used, because it is not the file beside it as one gzip member'])
})

test('a body that was not kept is made again, and a file that changed meanwhile is refused', async () => {
  const stored = await compressed(file(), [])
  const { size, sha256, open } = bodyOfFile({ ...stored, content: undefined })
  const bytes = (await open()) as Buffer
  expect({ size, sha256 }).toEqual({ size: bytes.length, sha256: hash('sha256', bytes) })
  expect(gunzipSync(bytes).toString()).toBe(text)
  await writeFile(join(dir, 'app-1.js'), text.replace('7919', '7918'))
  await expect(open()).rejects.toThrow('app-1.js changed while it was being uploaded')
  await rm(join(dir, 'app-1.js'))
  await expect(open()).rejects.toThrow('app-1.js vanished before it was uploaded')
  await expect(compressed(file(), [])).rejects.toThrow('app-1.js vanished before it was uploaded')
})

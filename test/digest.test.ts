import { createHash } from 'node:crypto'
import { appendFileSync, rmSync, truncateSync } from 'node:fs'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileOf } from '../src/core/built-file.js'
import type { ClassifiedFile } from '../src/core/classify.js'
import { digest, type Secret } from '../src/core/digest.js'

const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const keyId = 'AKIAIOSFODNN7EXAMPLE'
const advice = 'take it out of the build, and replace the key'
const secrets: Secret[] = [
  { name: 'the secret access key in use', value: secret, remedy: advice },
  { name: 'the access key id in use', value: keyId, remedy: advice },
]

/** Bytes up to which a file is read in one piece, and of the pieces of a larger one. */
const chunk = 256 * 1024

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterEach(() => rm(dir, { recursive: true }))

const classified = (path: string): ClassifiedFile => ({
  path,
  dir,
  key: `static/${path}`,
  group: 'asset',
  parameters: { ContentType: 'text/plain' },
})

async function write(path: string, content: string | Buffer): Promise<ClassifiedFile> {
  await writeFile(join(dir, path), content)
  return classified(path)
}

const hashes = (content: string | Buffer) => ({
  sha256: createHash('sha256').update(content).digest('hex'),
})

describe('size and hashes', () => {
  it.each<[what: string, content: string | Buffer]>([
    ['an empty file', ''],
    ['a short one', 'hello'],
    ['bytes that are no text', Buffer.from([0, 255, 254, 13, 10, 0])],
    ['exactly one piece', Buffer.alloc(chunk, 1)],
    ['one byte more', Buffer.alloc(chunk + 1, 2)],
    ['many pieces', Buffer.alloc(5 * chunk + 77, 'pattern')],
  ])('of %s', async (_what, content) => {
    const file = await write('file', content)
    for (const needles of [[], secrets]) {
      const { files, problems } = await digest([file], needles)
      const [{ content: kept, ...digested } = { content: undefined }] = files
      expect(digested).toEqual({ ...file, size: Buffer.byteLength(content), ...hashes(content) })
      expect(kept).toEqual(Buffer.byteLength(content) <= chunk ? Buffer.from(content) : undefined)
      expect(problems).toEqual([])
    }
  })

  it('of many files, in the order they came in', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `f${(i * 7919) % 500}`)
    const files = await Promise.all(names.map((name, i) => write(name, 'x'.repeat(i))))
    const { files: digested } = await digest(files, secrets)
    expect([...digested].map(({ path, size }) => `${path} ${size}`)).toEqual(names.map((name, i) => `${name} ${i}`))
  })
})

it.each<[what: string, count: number, size: number]>([
  ['large files', 3, 20_000_000_000],
  ['many small ones', 3000, 1],
])('is ended by a signal, with its reason, within %s', async (_what, count, size) => {
  const files = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const file = await write(`${i}.bin`, '')
      // Without content on the disk.
      await truncate(fileOf(file), size)
      return file
    }),
  )
  const stop = new AbortController()
  const digesting = digest(files, [], stop.signal)
  setImmediate(() => stop.abort(new Error('enough')))
  await expect(digesting).rejects.toThrow('enough')
})

it('keeps no bytes of more than 5,000 files', async () => {
  const files = await Promise.all(Array.from({ length: 5001 }, (_, i) => write(`${i}.js`, 'x')))
  const { files: digested } = await digest(files, [])
  expect(digested).toHaveLength(5001)
  expect([...digested].every(({ content, size }) => content === undefined && size === 1)).toBe(true)
})

it('keeps the bytes of small files for their upload, 8 MiB in all', async () => {
  const files = await Promise.all(Array.from({ length: 70 }, (_, i) => write(`${i}.js`, Buffer.alloc(128 * 1024, i))))
  const { files: digested } = await digest(files, [])
  const kept = [...digested].filter(({ content }) => content !== undefined)
  expect(kept.map(({ path }) => path)).toEqual(files.slice(0, 64).map(({ path }) => path))
  for (const [i, { content }] of kept.entries()) expect(content?.every((byte) => byte === i)).toBe(true)
})

describe('a secret', () => {
  const before = (bytes: number) => Buffer.alloc(bytes, 'a')

  it.each<[where: string, content: Buffer]>([
    ['alone', Buffer.from(secret)],
    ['at the beginning', Buffer.from(`${secret}\n`)],
    ['at the end', Buffer.concat([before(100), Buffer.from(secret)])],
    ['in code', Buffer.from(`const k="${secret}";`)],
    ['between bytes that are no text', Buffer.concat([Buffer.alloc(9, 255), Buffer.from(secret), Buffer.alloc(9, 0)])],
    ['twice', Buffer.from(secret + secret)],
    ['as the end of a first piece', Buffer.concat([before(chunk - secret.length), Buffer.from(secret), before(9)])],
    [
      'across two pieces, all but one byte in the first',
      Buffer.concat([before(chunk - secret.length + 1), Buffer.from(secret)]),
    ],
    ['across two pieces, half and half', Buffer.concat([before(chunk - 20), Buffer.from(secret), before(50)])],
    ['across two pieces, one byte in the first', Buffer.concat([before(chunk - 1), Buffer.from(secret), before(50)])],
    ['as the beginning of a second piece', Buffer.concat([before(chunk), Buffer.from(secret), before(50)])],
    ['late in a big file', Buffer.concat([before(20 * chunk - 7), Buffer.from(secret), before(3 * chunk)])],
  ])('%s', async (_where, content) => {
    const { problems } = await digest([await write('app.js', content)], secrets)
    expect(problems).toEqual([`app.js contains the secret access key in use: ${advice}`])
  })

  it('at each place where two pieces meet', async () => {
    const content = (end: number) => Buffer.concat([before(end - secret.length), Buffer.from(secret), before(chunk)])
    const ends = [chunk, 2 * chunk].flatMap((edge) => Array.from({ length: secret.length + 1 }, (_, i) => edge + i))
    const files = await Promise.all(ends.map((end) => write(`${end}.js`, content(end))))
    const { problems } = await digest(files, secrets)
    expect(problems).toEqual(files.map(({ path }) => `${path} contains the secret access key in use: ${advice}`).sort())
  })

  it('longer than a piece', async () => {
    const value = Array.from({ length: chunk / 2 }, (_, i) => i.toString(36).padStart(5, '.')).join('')
    const long = [{ name: 'the value of A_TOKEN', value, remedy: advice }]
    const file = await write('app.js', Buffer.concat([before(chunk / 3), Buffer.from(value), before(9)]))
    const cut = await write('cut.js', Buffer.concat([before(chunk / 3), Buffer.from(value.slice(0, -1)), before(9)]))
    expect((await digest([file, cut], long)).problems).toEqual([`app.js contains the value of A_TOKEN: ${advice}`])
  })

  it.each<[what: string, content: string]>([
    ['half of it', secret.slice(0, -1)],
    ['it in pieces', `${secret.slice(0, 20)} ${secret.slice(20)}`],
    ['it in other letters', secret.toLowerCase()],
  ])('is not %s', async (_what, content) => {
    expect((await digest([await write('app.js', content)], secrets)).problems).toEqual([])
  })

  it('that is too short to mean anything is not looked for', async () => {
    const short = (value: string) => [{ name: 'the secret access key in use', value, remedy: advice }]
    const file = await write('app.js', 'a test of 1234567')
    expect((await digest([file], short('test'))).problems).toEqual([])
    expect((await digest([file], short('1234567'))).problems).toEqual([])
    expect((await digest([file], short(' 1234567'))).problems).toHaveLength(1)
  })

  it('is told with its own remedy, once for each file', async () => {
    const more = [...secrets, { name: 'the value of A_TOKEN', value: 'abcdefgh', remedy: 'do this' }]
    const files = [await write('a.js', 'abcdefgh abcdefgh'), await write('b.js', 'abcdefg h')]
    expect((await digest(files, more)).problems).toEqual(['a.js contains the value of A_TOKEN: do this'])
  })

  it('is in no problem', async () => {
    const { problems } = await digest([await write('app.js', secret + keyId)], secrets)
    expect(problems).toHaveLength(2)
    expect(problems.join()).not.toContain(secret)
    expect(problems.join()).not.toContain(keyId)
  })
})

describe('problems', () => {
  it('of a file that vanished', async () => {
    expect(await digest([classified('gone.js'), await write('here.js', 'x')], secrets)).toMatchObject({
      files: [],
      problems: ['gone.js vanished after the build'],
    })
  })

  const MB = 1024 ** 2
  it.each<[what: string, change: (file: string) => void, size: number]>([
    ['shrinks', (file) => truncateSync(file, 9 * MB), 9 * MB],
    ['shrinks to less than was read already', (file) => truncateSync(file, MB), 8 * MB],
    ['grows', (file) => appendFileSync(file, Buffer.alloc(MB, 'a')), 21 * MB],
    ['vanishes', rmSync, 20 * MB],
  ])(
    'none with a file that %s while it is read: what was read is told, and the upload will know',
    async (_what, change, size) => {
      const file = await write('large.bin', Buffer.alloc(20 * MB, 'a'))
      const digesting = digest([file], secrets)
      // Others get their turn after 8 MB.
      await new Promise(process.nextTick)
      change(fileOf(file))
      const whole = { ...file, size, ...hashes(Buffer.alloc(size, 'a')) }
      const { files, problems } = await digesting
      expect([...files]).toEqual([whole])
      expect(problems).toEqual([])
    },
  )

  it('of what is no file any more', async () => {
    await mkdir(join(dir, 'folder.js'))
    expect((await digest([classified('folder.js')], secrets)).problems).toEqual(["folder.js can't be read (EISDIR)"])
  })

  it('all of them, sorted, however long each file takes', async () => {
    const files = [
      await write('z.js', `${'a'.repeat(4 * chunk)}${secret}`),
      classified('m.js'),
      await write('b.js', keyId + secret),
      classified('a.js'),
    ]
    expect((await digest(files, secrets)).problems).toEqual([
      'a.js vanished after the build',
      `b.js contains the access key id in use: ${advice}`,
      `b.js contains the secret access key in use: ${advice}`,
      'm.js vanished after the build',
      `z.js contains the secret access key in use: ${advice}`,
    ])
  })
})

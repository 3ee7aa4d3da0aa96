import { createHash, webcrypto } from 'node:crypto'
import { appendFileSync, rmSync, truncateSync } from 'node:fs'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fileOf } from '../../src/files/built-file.js'
import type { ClassifiedFile } from '../../src/files/classify.js'
import { hashFiles, type Secret } from '../../src/files/hash.js'
import { largeHasher } from '../../src/files/hash-content.js'
import { searchFor } from '../../src/files/secret-search.js'

const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const keyId = 'AKIAIOSFODNN7EXAMPLE'
const advice = 'take it out of the build, and replace the key'
const secrets: Secret[] = [
  { name: 'the secret access key in use', value: secret, remedy: advice },
  { name: 'the access key id in use', value: keyId, remedy: advice },
]

/** Bytes up to which a file is small, and of a piece of a file that isn't read whole. */
const chunk = 256 * 1024
/** Bytes up to which a larger file is read whole. */
const whole = 8 * 1024 * 1024

const noMd5 = () => false

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

const md5Of = (content: string | Buffer) => createHash('md5').update(content).digest('hex')

describe('size and hashes', () => {
  it.each<[what: string, content: string | Buffer]>([
    ['an empty file', ''],
    ['a short one', 'hello'],
    ['bytes that are no text', Buffer.from([0, 255, 254, 13, 10, 0])],
    ['the largest small file', Buffer.alloc(chunk, 1)],
    ['one byte more', Buffer.alloc(chunk + 1, 2)],
    ['the largest file that is read whole', Buffer.alloc(whole, 'pattern')],
    ['one byte more than that', Buffer.alloc(whole + 1, 'pattern')],
    ['many pieces', Buffer.alloc(whole + 5 * chunk + 77, 'pattern')],
  ])('of %s', async (_what, content) => {
    const file = await write('file', content)
    for (const needles of [[], secrets]) {
      const { files, problems } = await hashFiles([file], needles, noMd5)
      const [{ content: kept, ...hashed } = { content: undefined }] = files
      expect(hashed).toEqual({ ...file, size: Buffer.byteLength(content), ...hashes(content) })
      expect(kept?.equals(Buffer.from(content))).toBe(Buffer.byteLength(content) <= chunk ? true : undefined)
      expect(problems).toEqual([])
    }
  })

  it('of many files, in their order', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `f${(i * 7919) % 500}`)
    const files = await Promise.all(names.map((name, i) => write(name, 'x'.repeat(i))))
    const { files: hashed } = await hashFiles(files, secrets, noMd5)
    expect([...hashed].map(({ path, size }) => `${path} ${size}`)).toEqual(names.map((name, i) => `${name} ${i}`))
  })
})

it('only files that need an MD5 get one, by key, path and size', async () => {
  const contents = [
    '',
    'small',
    'b',
    Buffer.alloc(chunk + 9, 'w'),
    Buffer.alloc(chunk + 8),
    Buffer.alloc(whole + 7, 'p'),
  ]
  const files = await Promise.all(contents.map((content, i) => write(`${i}.bin`, content)))
  const asked: string[] = []
  const { files: hashed } = await hashFiles(files, secrets, ({ key, path }, size) => {
    asked.push(`${key} ${path} ${size}`)
    return path !== '2.bin' && path !== '4.bin'
  })
  expect([...hashed].map(({ md5 }) => md5)).toEqual(
    contents.map((content, i) => (i === 2 || i === 4 ? undefined : md5Of(content))),
  )
  const sizes = contents.map((content) => Buffer.byteLength(content))
  expect(asked.sort()).toEqual(sizes.map((size, i) => `static/${i}.bin ${i}.bin ${size}`))
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
  const hashing = hashFiles(files, [], noMd5, { signal: stop.signal })
  setImmediate(() => stop.abort(new Error('enough')))
  await expect(hashing).rejects.toThrow('enough')
})

describe('files that are not small', () => {
  const needles = [Buffer.from(secret), Buffer.from(keyId)]
  const zeros = (bytes: number) => Buffer.alloc(bytes)
  /** @param size as it is known before the file is read: by that it is read whole or in pieces */
  const hashLarge = (file: ClassifiedFile, size: number, values = needles) =>
    largeHasher({ search: searchFor(values), longest: Math.max(...values.map(({ length }) => length)) })(
      fileOf(file),
      size,
      true,
    )

  describe.each<[how: string, size: number]>([
    ['whole', chunk + 1],
    ['in pieces', whole + 1],
  ])('read %s', (_how, size) => {
    it.each<[content: string, content: Buffer, found: number[]]>([
      ['nothing', zeros(0), []],
      ['no value', Buffer.alloc(3 * chunk + 5, 'one'), []],
      ['a value at the very beginning', Buffer.concat([needles[0] as Buffer, zeros(chunk)]), [0]],
      ['two, one of them across two pieces', Buffer.concat([zeros(chunk - 20), ...needles]), [0, 1]],
      ['one with one byte in the piece before', Buffer.concat([zeros(2 * chunk - 1), needles[1] as Buffer]), [1]],
      ['all of one but a byte', Buffer.concat([zeros(9 * chunk), needles[0]?.subarray(1) as Buffer]), []],
      ['one twice', Buffer.concat([needles[0] as Buffer, zeros(chunk), needles[0] as Buffer]), [0]],
    ])('with %s', async (_what, content, found) => {
      const { found: indices, ...rest } = await hashLarge(await write('file', content), size)
      expect({ ...rest, found: [...indices].sort() }).toEqual({
        size: content.length,
        ...hashes(content),
        md5: md5Of(content),
        found,
      })
    })

    it('with a value at each place where two pieces meet', async () => {
      const file = await write('file', '')
      for (const edge of [chunk, 2 * chunk]) {
        for (let i = 0; i <= secret.length; i++) {
          await writeFile(fileOf(file), Buffer.concat([zeros(edge + i - secret.length), Buffer.from(secret), zeros(9)]))
          expect([...(await hashLarge(file, size)).found], `${edge} ${i}`).toEqual([0])
        }
      }
    })

    it('with a value that is longer than a piece', async () => {
      const long = Array.from({ length: chunk / 2 }, (_, i) => i.toString(36).padStart(5, '.')).join('')
      const foundIn = async (value: string) => {
        const file = await write('file', Buffer.concat([zeros(chunk / 3), Buffer.from(value), zeros(9)]))
        return [...(await hashLarge(file, size, [Buffer.from(long), Buffer.from(keyId)])).found]
      }
      expect(await foundIn(long)).toEqual([0])
      expect(await foundIn(long.slice(0, -1))).toEqual([])
    })
  })

  it('are read to their end if they grow meanwhile', async () => {
    const content = Buffer.concat([zeros(whole + 1), needles[0] as Buffer])
    const { found, ...rest } = await hashLarge(await write('file', content), chunk + 1)
    expect({ ...rest, found: [...found] }).toEqual({
      size: content.length,
      ...hashes(content),
      md5: md5Of(content),
      found: [0],
    })
  })

  it('are hashed in Node’s pool, at most four at a time, if they are read whole', async () => {
    const { digest } = webcrypto.subtle
    let running = 0
    const seen: number[] = []
    const spy = vi.spyOn(webcrypto.subtle, 'digest').mockImplementation(async (...given) => {
      seen.push(++running)
      return digest.apply(webcrypto.subtle, given).finally(() => running--)
    })
    const sizes = [1, chunk, ...Array.from({ length: 12 }, (_, i) => chunk + 1 + i), whole + 1]
    const files = await Promise.all(sizes.map((size, i) => write(`${i}.bin`, Buffer.alloc(size, i))))
    const { files: hashed } = await hashFiles(files, [], noMd5)
    spy.mockRestore()
    expect([...hashed].map(({ sha256 }) => sha256)).toEqual(
      sizes.map((size, i) => hashes(Buffer.alloc(size, i)).sha256),
    )
    expect(seen).toHaveLength(12)
    expect(Math.max(...seen)).toBe(4)
  })
})

it('keeps no bytes of more than 5,000 files', async () => {
  const file = await write('one.js', 'x')
  const files = Array.from({ length: 5001 }, () => file)
  const { files: hashed } = await hashFiles(files, [], noMd5)
  expect(hashed).toHaveLength(5001)
  expect([...hashed].every(({ content, size }) => content === undefined && size === 1)).toBe(true)
})

it('keeps the bytes of small files for their upload, 8 MiB in all', async () => {
  const files = await Promise.all(Array.from({ length: 70 }, (_, i) => write(`${i}.js`, Buffer.alloc(128 * 1024, i))))
  const { files: hashed } = await hashFiles(files, [], noMd5)
  const kept = [...hashed].filter(({ content }) => content !== undefined)
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
    ['in a file that is read whole', Buffer.concat([before(5 * chunk - 7), Buffer.from(secret), before(3 * chunk)])],
    ['late in a file that is read in pieces', Buffer.concat([before(whole - 7), Buffer.from(secret), before(chunk)])],
  ])('%s', async (_where, content) => {
    const { problems } = await hashFiles([await write('app.js', content)], secrets, noMd5)
    expect(problems).toEqual([`app.js contains the secret access key in use: ${advice}`])
  })

  it.each<[what: string, content: string]>([
    ['half of it', secret.slice(0, -1)],
    ['it in pieces', `${secret.slice(0, 20)} ${secret.slice(20)}`],
    ['it in other letters', secret.toLowerCase()],
  ])('is not %s', async (_what, content) => {
    expect((await hashFiles([await write('app.js', content)], secrets, noMd5)).problems).toEqual([])
  })

  it('of fewer than eight characters is ignored', async () => {
    const short = (value: string) => [{ name: 'the secret access key in use', value, remedy: advice }]
    const file = await write('app.js', 'a test of 1234567')
    expect((await hashFiles([file], short('test'), noMd5)).problems).toEqual([])
    expect((await hashFiles([file], short('1234567'), noMd5)).problems).toEqual([])
    expect((await hashFiles([file], short(' 1234567'), noMd5)).problems).toHaveLength(1)
  })

  it('is reported with its own remedy, once for each file', async () => {
    const more = [...secrets, { name: 'the value of A_TOKEN', value: 'abcdefgh', remedy: 'do this' }]
    const files = [await write('a.js', 'abcdefgh abcdefgh'), await write('b.js', 'abcdefg h')]
    expect((await hashFiles(files, more, noMd5)).problems).toEqual(['a.js contains the value of A_TOKEN: do this'])
  })

  it('appears in no problem', async () => {
    const { problems } = await hashFiles([await write('app.js', secret + keyId)], secrets, noMd5)
    expect(problems).toHaveLength(2)
    expect(problems.join()).not.toContain(secret)
    expect(problems.join()).not.toContain(keyId)
  })
})

describe('problems', () => {
  it('of a file that vanished', async () => {
    expect(await hashFiles([classified('gone.js'), await write('here.js', 'x')], secrets, noMd5)).toMatchObject({
      files: [],
      problems: ['gone.js vanished after the build'],
    })
    const gone: string[] = []
    const onVanished = (path: string) => gone.push(path)
    const files = [classified('gone.js'), await write('here.js', 'x')]
    const { files: hashed, problems } = await hashFiles(files, secrets, noMd5, { onVanished })
    expect({ gone, problems, hashed: hashed.map(({ path }) => path) }).toEqual({
      ...{ gone: ['gone.js'], problems: [], hashed: ['here.js'] },
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
      const hashing = hashFiles([file], secrets, noMd5)
      // The event loop runs after 8 MB.
      await new Promise(process.nextTick)
      change(fileOf(file))
      const whole = { ...file, size, ...hashes(Buffer.alloc(size, 'a')) }
      const { files, problems } = await hashing
      expect([...files]).toEqual([whole])
      expect(problems).toEqual([])
    },
  )

  it('of a file that became a folder', async () => {
    await mkdir(join(dir, 'folder.js'))
    expect((await hashFiles([classified('folder.js')], secrets, noMd5)).problems).toEqual([
      "folder.js can't be read (EISDIR)",
    ])
  })

  it('are sorted, however long each file takes', async () => {
    const files = [
      await write('z.js', `${'a'.repeat(4 * chunk)}${secret}`),
      classified('m.js'),
      await write('b.js', keyId + secret),
      classified('a.js'),
    ]
    expect((await hashFiles(files, secrets, noMd5)).problems).toEqual([
      'a.js vanished after the build',
      `b.js contains the access key id in use: ${advice}`,
      `b.js contains the secret access key in use: ${advice}`,
      'm.js vanished after the build',
      `z.js contains the secret access key in use: ${advice}`,
    ])
  })
})

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { deploySettings } from '../../fixtures/build/settings.js'
import { siteObjects } from '../../fixtures/build/site.js'
import { errorOf } from '../../fixtures/error-of.js'
import { anyCharacter, anyText, cases, oddText, patience } from '../../fixtures/fuzz/chance.js'
import { settingsOrProblems } from '../../fixtures/fuzz/settings-or-problems.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import { preview, readFolders } from '../../src/deploy/commands/preview.js'
import { startDeploy } from '../../src/deploy/deploy.js'
import { type Classified, classify } from '../../src/files/classify.js'
import type { Release } from '../../src/folders/read-folders.js'
import { StaticS3Error } from '../../src/runtime/error.js'
import type { Settings } from '../../src/settings/settings.js'
import { encodePath } from '../../src/urls/paths.js'

let s3: EmbeddedS3
let dir: string

beforeAll(async () => {
  s3 = await startEmbedded()
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterAll(async () => {
  await s3.close()
  await rm(dir, { recursive: true, force: true })
})

describe.skipIf(process.platform === 'win32')('a file name (not on Windows, which forbids most of these)', () => {
  const signs = [
    ...` +%#?&=;:,@!$'"()*[]{}<>|\\^~\`-_.`,
    ...['%20', '%2F', '%25', '%C3%A4', '&amp;', '..', '$&', '\t', '\n', '\r', '\u0001'],
  ]
  const scripts = [
    ...['ä', 'a\u0308', 'é', 'e\u0301', 'ﬁ', '日本', 'א', '\u202e', '\u200d', '👩‍👩‍👧', '😀', '\uffff', '\ufffe'],
    ...['\ue000', '\u{10ffff}', 'İ'],
  ]
  const segment = fc
    .array(fc.oneof(fc.constantFrom(...signs, ...scripts), fc.string({ unit: anyCharacter, maxLength: 4 })), {
      minLength: 1,
      maxLength: 12,
    })
    .map((parts) => parts.join('').replaceAll(/[/\0]/g, '').slice(0, 60).toWellFormed())
    .filter((name) => !/^\.{0,2}$/.test(name))
  const path = fc
    .tuple(
      fc.array(segment, { maxLength: 2 }),
      segment,
      fc.constantFrom('', '.js', '.html', '.json', '.png', '.webmanifest'),
    )
    .map(([folders, name, ending]) => [...folders, name + ending].join('/'))
  const longPath = (bytes: number) => `${'ü/'.repeat(300)}${'x'.repeat(bytes - 900 - 'static/'.length)}`

  /** The paths that the file system took: not every two names go together. */
  async function write(folder: string, paths: readonly string[]): Promise<string[]> {
    const written: string[] = []
    for (const each of new Set(paths)) {
      const file = join(folder, each)
      try {
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, `bytes of ${each}`, { flag: 'wx' })
        written.push(each)
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toMatch(/^(EEXIST|ENOTDIR|EISDIR|ENAMETOOLONG|EINVAL)$/)
      }
    }
    return written
  }

  const classified = (paths: readonly string[], settings: Settings): Classified => {
    const files = paths.map((each) => ({ path: each, dir, emitted: false, fingerprinted: false }))
    return classify({ files, leftOut: [] }, settings)
  }

  let count = 0
  async function deployAndFetch(all: readonly string[]): Promise<string[]> {
    const bucket = await s3.createBucket(undefined, { public: 'static/' })
    const settings = await deploySettings({}, deployEnv(s3, bucket))
    const paths = all.filter((each) => classified([each], settings).problems.length === 0)
    const folder = join(dir, `site-${count++}`)
    const written = await write(folder, paths)
    const home = new Set(classified(written, settings).leftOut.map(({ path }) => path))
    const expected = written.filter((each) => !home.has(each)).sort()
    const warnings: string[] = []
    const logger = { info() {}, warn: (message: string) => warnings.push(message) }
    const outputs = [{ dir: folder, emitted: new Set(written), fingerprinted: new Set(written.slice(0, 20)) }]
    const build = { outputs, notOurs: [], base: '/', terminal: undefined, logger, bundler: 'none' }
    await startDeploy(settings).publish(build)

    expect([...siteObjects(s3, bucket).keys()].sort()).toEqual(expected.map((each) => `static/${each}`).sort())
    if (expected.length > 0) {
      expect(warnings.filter((warning) => !warning.includes('(dotfile)'))).toEqual([])
      const [release] = await readFolders([folder])
      const { decisions } = await preview(release as Release, settings)
      const decided = [...decisions].map(({ file, action, reason }) => `${action} ${reason} ${file.path}`)
      expect(decided.sort()).toEqual(expected.map((each) => `skip unchanged ${each}`).sort())
    }
    const fetched = await Promise.all(
      expected.map(async (each) => {
        const response = await fetch(settings.publicUrl + encodePath(each))
        return [each, response.status, await response.text()]
      }),
    )
    expect(fetched).toEqual(expected.map((each) => [each, 200, `bytes of ${each}`]))
    await rm(folder, { recursive: true })
    return expected
  }

  it(
    'of any kind is uploaded, found unchanged, and served under its URL',
    async () => {
      let served = 0
      await fc.assert(
        fc.asyncProperty(fc.array(path, { minLength: 60, maxLength: 100, size: 'max' }), async (paths) => {
          served += (await deployAndFetch(paths)).length
        }),
        cases(4),
      )
      expect(served).toBeGreaterThan(200)
    },
    patience,
  )

  it('of each kind is uploaded, found unchanged, and served under its URL', async () => {
    const known = [...signs, ...scripts].map((sign) => `a${sign}b.txt`).filter((each) => !/[\\]/.test(each))
    const paths = [
      ...known,
      ...['a\\b.txt', '%2e%2e%2f.txt', '__proto__', 'constructor', '10', '9'],
      longPath(1024),
      ' ',
      '  a ',
    ]
    expect(await deployAndFetch(paths)).toHaveLength(paths.length)
  })

  it('that makes a key of more than 1,024 bytes is refused before anything is written', async () => {
    const bucket = await s3.createBucket()
    const settings = await deploySettings({}, deployEnv(s3, bucket))
    const folder = join(dir, 'too-long')
    expect(await write(folder, ['a.txt', longPath(1025)])).toHaveLength(2)
    const outputs = [{ dir: folder, emitted: new Set<string>(), fingerprinted: new Set<string>() }]
    const logger = { info() {}, warn() {} }
    const build = { outputs, notOurs: [], base: '/', terminal: undefined, logger, bundler: 'none' }
    const error = await errorOf(startDeploy(settings).publish(build))
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error?.message).toContain('its key has 1025 bytes, and S3 takes 1,024 at most')
    expect([...s3.server.objects(bucket)]).toEqual([])
  })

  it('and a glob of any kind go together', async () => {
    const glob = fc.oneof(
      anyText,
      oddText('*', '**', '/', '!', '(', ')', '[', ']', '{', '}', ',', '|', '?', '+', '@', '\\'),
    )
    await fc.assert(
      fc.asyncProperty(glob, path, async (exclude, each) => {
        const shell = { USE_S3: '1', AWS_STORAGE_BUCKET_NAME: 'bucket' }
        const settings = await settingsOrProblems({ exclude }, { shell, files: {}, all: shell })
        if (settings) classified([each], settings)
      }),
      cases(300),
    )
  })
})

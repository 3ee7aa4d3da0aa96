import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildVite } from '../../fixtures/build/index.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import { runCommand } from '../../src/cli/command.js'

let s3: EmbeddedS3
let bucket: string
let env: Record<string, string>
let dir: string

beforeAll(async () => {
  s3 = await startEmbedded()
})
beforeEach(async () => {
  bucket = await s3.createBucket()
  env = deployEnv(s3, bucket)
  dir = await mkdtemp(join(tmpdir(), 'static-s3-cli-'))
  s3.server.reset()
})
afterEach(async () => {
  s3.server.intercept = undefined
  await rm(dir, { recursive: true, force: true })
})
afterAll(() => s3.close())

const script = join(import.meta.dirname, '../../dist/cli.js')

async function run(words: string[], more: Record<string, string | undefined> = {}, cwd = dir) {
  const child = spawn(process.execPath, [script, ...words], {
    cwd,
    env: { PATH: process.env.PATH, HOME: dir, AWS_EC2_METADATA_DISABLED: 'true', ...env, ...more },
  })
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ])
  return { stdout, stderr, code }
}

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
}

const writes = () => s3.server.requests.filter(({ method }) => method !== 'GET')

describe('plan', () => {
  test('says for each file what would be done to it and why, and writes nothing', async () => {
    await write({ 'media/a.jpg': 'a', 'media/b c.txt': 'bb', 'media/.env': 'SECRET' })
    const { stdout, stderr, code } = await run(['plan', 'media'])
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    expect(stdout).toBe(`s3://${bucket}/static → ${s3.endpoint}/${bucket}/static/
  a.jpg (new)
  b c.txt (new)
  to upload      2  0.00 kB
  left out       1  dotfile (.env)
dry run: nothing was written
`)
    expect(writes()).toEqual([])
  })

  test('--json is the whole of it', async () => {
    await write({ 'media/photo.svg': '<svg/>', 'media/app.js.map': '{}' })
    const { stdout, stderr, code } = await run(['plan', 'media', 'files/2026', '--json'])
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
    expect(JSON.parse(stdout)).toEqual({
      bucket,
      location: 'files/2026',
      publicUrl: `${s3.endpoint}/${bucket}/files/2026/`,
      last: null,
      files: [
        {
          path: 'photo.svg',
          key: 'files/2026/photo.svg',
          action: 'upload',
          reason: 'new',
          size: 6,
          group: 'asset',
          parameters: { CacheControl: 'no-cache', ContentType: 'image/svg+xml' },
        },
      ],
      leftOut: [{ path: 'app.js.map', reason: 'source map' }],
      overwritten: [],
      warnings: [],
    })
  })

  test('of a folder that a build has deployed: all is unchanged, and names are fingerprinted that the release had as such', async () => {
    const build = await buildVite('plain', { env })
    expect(build.code, build.output).toBe(0)
    s3.server.reset()
    const same = await run(['plan', 'dist', '--json'], {}, build.dir)
    expect(same.code, same.stderr).toBe(0)
    const told = JSON.parse(same.stdout)
    expect(told.files.length).toBeGreaterThan(4)
    for (const { path, reason } of told.files) expect(reason, path).toBe('unchanged')
    expect(told.files.map(({ group }: { group: string }) => group)).toContain('fingerprinted')
    expect(told.last).toMatchObject({ release: 1, bundler: expect.stringMatching(/^vite 8/) })

    const page = join(build.outDir, 'index.html')
    await writeFile(page, (await readFile(page, 'utf8')).replace('<title>', '<title>x'))
    const changed = await run(['plan', 'dist'], {}, build.dir)
    expect(changed.stdout).toMatch(/^ {2}index\.html \((size|content)\)$/m)
    expect(changed.stdout).toMatch(/^ {2}to update +1 /m)
    expect(writes()).toEqual([])
  })

  test('takes settings from .env files of the mode, and flags before them', async () => {
    await write({
      'media/a.txt': 'a',
      '.env.production': 'AWS_LOCATION=from-env\n',
      '.env.staging': 'AWS_LOCATION=from-staging\n',
    })
    const locationOf = async (...words: string[]) =>
      JSON.parse((await run(['plan', 'media', ...words, '--json'])).stdout)
    expect((await locationOf()).location).toBe('from-env')
    expect((await locationOf('--mode', 'staging')).location).toBe('from-staging')
    expect((await locationOf('given')).location).toBe('given')
    const { publicUrl } = await locationOf('--custom-domain', 'cdn.example.com')
    expect(publicUrl).toBe('https://cdn.example.com/from-env/')
  })

  test('--include, --exclude, --object-parameters and --force', async () => {
    await write({ 'media/a.txt': 'a', 'media/b.pdf': 'b', 'media/c.pdf': 'c' })
    const words = ['--include', '*.pdf', '--include', '*.txt', '--exclude', 'c.*', '--force']
    const { stdout } = await run([
      'plan',
      'media',
      '--json',
      ...words,
      '--object-parameters',
      '{"StorageClass":"STANDARD_IA"}',
    ])
    const { files } = JSON.parse(stdout)
    expect(files.map(({ path }: { path: string }) => path)).toEqual(['a.txt', 'b.pdf'])
    expect(files[0].parameters).toMatchObject({ StorageClass: 'STANDARD_IA' })
  })

  test('needs no USE_S3, since who types it means it', async () => {
    await write({ 'media/a.txt': 'a' })
    expect((await run(['plan', 'media'], { USE_S3: '0' })).code).toBe(0)
  })

  test.each<[what: string, words: string[], problem: RegExp]>([
    ['no folder', ['plan'], /plan needs a folder/],
    ['three words', ['plan', 'media', 'a', 'b'], /remove b/],
    ['a folder that is not there', ['plan', 'nowhere'], /nowhere is not a folder/],
    ['a file', ['plan', 'file.txt'], /file\.txt is not a folder/],
    ['an unknown flag', ['plan', 'media', '--jsno'], /--jsno/],
    ['a flag without its value', ['plan', 'media', '--bucket'], /--bucket/],
    ['an unknown command', ['paln'], /no command `paln`: did you mean `plan`\?/],
  ])('%s: exit code 2, one message, no stack', async (_what, words, problem) => {
    await write({ 'media/a.txt': 'a', 'file.txt': '' })
    const { stdout, stderr, code } = await run(words)
    expect({ stdout, code }).toEqual({ stdout: '', code: 2 })
    expect(stderr).toMatch(problem)
    expect(stderr).not.toMatch(/^ {4}at /m)
  })

  test('what fails has exit code 1, S3’s own code, and the error alone on the standard output', async () => {
    await write({ 'media/a.txt': 'a' })
    const { stdout, stderr, code } = await run(['plan', 'media', '--json', '--bucket', 'no-such-bucket'])
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toEqual({ status: 'failed', error: stderr.trimEnd().replace('static-s3: ', '') })
    expect(stderr).toMatch(/there is no bucket "no-such-bucket".*\(NoSuchBucket\)/)
    expect(stderr).not.toMatch(/^ {4}at /m)
    const wrong = await run(['plan', 'media', '--addressing-style', 'none', '--endpoint', 'x'])
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toMatch(/2 settings are wrong/)
    expect(wrong.stderr).toMatch(/^ {2}- --endpoint is "x": use a URL such as/m)
    expect(wrong.stderr).toMatch(/^ {2}- --addressing-style is "none": use one of/m)
    const escaping = await run(['plan', 'media', '..'])
    expect(escaping.stderr).toMatch(/^ {2}- LOCATION is "\.\.": remove empty/m)
  })

  test('an empty folder is nothing to do', async () => {
    await mkdir(join(dir, 'media'))
    const { stdout, code } = await run(['plan', 'media', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).files).toEqual([])
  })
})

test.each<[words: string, code: number, error: RegExp]>([
  ['deploy media --endpoint x', 1, /--endpoint is "x": use a URL/],
  ['sync media --endpoint x', 1, /--endpoint is "x": use a URL/],
  ['plan media --endpoint x', 1, /--endpoint is "x": use a URL/],
  ['promote a b --endpoint x', 1, /--endpoint is "x": use a URL/],
  ['setup --endpoint x', 1, /--endpoint is "x": use a URL/],
  ['check --endpoint x', 1, /--endpoint is "x": use a URL/],
  ['url gone.txt', 1, /build first/],
  ['deploy nowhere', 2, /nowhere is not a folder/],
  ['sync', 2, /sync needs a folder/],
  ['plan', 2, /plan needs a folder/],
  ['promote a a', 2, /the same location/],
  ['setup one', 2, /remove one/],
  ['check a b', 2, /one location/],
  ['url', 2, /url needs a file/],
  ['check --no-such-flag', 2, /no-such-flag/],
])('with --json, one JSON value is printed at each end: %s', async (words, code, error) => {
  await write({ 'media/a.txt': 'a' })
  vi.spyOn(process, 'cwd').mockReturnValue(dir)
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += text
      return true
    })
  }
  const all = `${words} --json`.replace('media', join(dir, 'media')).split(' ')
  const ended = await runCommand(all).finally(() => {
    vi.restoreAllMocks()
    vi.unstubAllEnvs()
  })
  const value = JSON.parse(printed.stdout)
  expect([ended, value]).toEqual([code, { status: 'failed', error: expect.stringMatching(error) }])
  expect(printed.stderr.trimEnd()).toBe(`static-s3: ${value.error}`)
})

test.each([[[]], [['--help']], [['-h']], [['plan', '--help']]])('%j shows how it is used', async (words) => {
  const { stdout, stderr, code } = await run(words)
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  expect(stdout).toMatch(/static-s3 plan DIR \[LOCATION\]/)
})

test('--version is the package’s', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'))
  expect(await run(['--version'])).toEqual({ stdout: `${version}\n`, stderr: '', code: 0 })
})

import { join } from 'node:path'
import { DeleteObjectsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { beforeEach, expect, test } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { deployTarget, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { siteObjects, writes } from '../../fixtures/build/site.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'

// Releases that are staged, made live, taken back and held, by real builds and the real command.

const target = deployTarget()
let dir: string

const site = (version: string) => ({
  'index.html': `<!doctype html><title>${version}</title><script type="module" src="/src/main.js"></script>`,
  'about.html': '<!doctype html><title>about</title>',
  'src/main.js': `document.title = '${version}'`,
  'public/robots.txt': `# ${version}`,
})

beforeEach(async () => {
  dir = await makeApp(site('none'))
})

async function deploy(version: string, options: Options = {}) {
  await writeFiles(dir, site(version))
  target.s3.server.reset()
  const input = [join(dir, 'index.html'), join(dir, 'about.html')]
  await viteBuild('vite', dir, { plugins: [staticS3(options)], build: { rollupOptions: { input } } })
  return live()
}

/** What visitors get: bytes and headers. */
const live = () =>
  new Map([...siteObjects(target.s3, target.bucket)].map(([key, { body, headers }]) => [key, [`${body}`, headers]]))
const titleOf = () => /<title>(.*)<\/title>/.exec(`${live().get('static/index.html')?.[0]}`)?.[1]
/** Without fingerprinted files, which no release removes. */
const pages = (site: ReturnType<typeof live>) => [...site].filter(([key]) => !key.includes('/assets/'))

async function command(...words: string[]) {
  target.s3.server.reset()
  const { code, stdout, stderr } = await runCommand('/', words, deployEnv(target.s3, target.bucket))
  return { code, stderr, stdout, result: /^[{[]/.test(stdout) ? JSON.parse(stdout) : undefined }
}

const bytesSent = () =>
  writes(target.s3)
    .filter(({ headers, key }) => headers['x-amz-copy-source'] === undefined && !key?.includes('/releases/'))
    .map(({ key }) => key)

test('a bad release is taken back by copies on the server, the next deploys are held, and resumed', async () => {
  const good = await deploy('good')
  await deploy('bad')
  const rolled = await command('rollback', '--reason', 'the menu is empty', '--json')
  expect(rolled, rolled.stderr).toMatchObject({ code: 0, result: { status: 'live', release: 4, bytes: 0 } })
  expect(rolled.result.hold).toBe('the menu is empty')
  expect(rolled.stderr).toMatch(/release 1 of \d{4}-\d\d-\d\d \d\d:\d\d UTC, /)
  expect(rolled.stderr).toContain('static-s3 resume')
  expect(bytesSent()).toEqual([])
  expect(pages(live())).toEqual(pages(good))

  // CI deploys the bad release again.
  await deploy('bad')
  await deploy('worse')
  expect(titleOf()).toBe('good')
  expect(pages(live())).toEqual(pages(good))
  const listed = await command('releases', '--json')
  expect(listed.result.hold).toMatchObject({ reason: 'the menu is empty' })
  const made = ({ release, state, command, activated }: Entry) => [release, state, command, activated]
  expect(listed.result.releases.map(made)).toEqual([
    ...[
      [6, 'staged', 'deploy', undefined],
      [5, 'staged', 'deploy', undefined],
      [4, 'live', 'rollback', 1],
      [3, 'hold', 'rollback', undefined],
      [2, 'earlier', 'deploy', undefined],
      [1, 'earlier', 'deploy', undefined],
    ],
  ])
  expect((await command('releases')).stdout).toMatch(
    /\n {2}4 {2}live {5}rollback 1 {2}\d{4}-.*\n {2}3 {2}hold {5}rollback {4}\d{4}-/,
  )

  const dry = await command('resume', '--dry-run', '--json')
  expect(dry.result).toEqual({ status: 'dry run', release: null, live: 4, reason: 'the menu is empty' })
  expect(writes(target.s3)).toEqual([])
  const resumed = await command('resume', '--json')
  expect(resumed, resumed.stderr).toMatchObject({ code: 0, result: { status: 'resumed', live: 4, release: 7 } })
  expect((await command('resume')).stdout).toBe('Nothing is held.\n')
  expect((await command('resume', '--json')).result).toMatchObject({ status: 'unchanged', release: null })
  expect((await command('hold', 'why', '--dry-run')).stdout).toBe(
    'dry run: deploys would be held: why. Release 4 stays live.\n',
  )
  const back = await command('rollback', '2', '--dry-run', '--json')
  expect(back.result).toMatchObject({ status: 'dry run', release: null, hold: 'a rollback to release 2' })
  expect(writes(target.s3)).toEqual([])
  expect(titleOf()).toBe('good')
  const fixed = await deploy('fixed')
  expect(titleOf()).toBe('fixed')
  expect(fixed.get('static/robots.txt')?.[0]).toBe('# fixed')

  const again = await command('rollback', '2', '--json')
  expect(again.result).toMatchObject({ status: 'live', release: 10 })
  expect(titleOf()).toBe('bad')

  // No file changes, and a hold begins.
  await command('resume')
  const only = await command('rollback', '2', '--json')
  expect(only.result).toMatchObject({
    status: 'live',
    release: 13,
    uploaded: [],
    updated: [],
    hold: expect.any(String),
  })
})

interface Entry {
  release: number
  state: string
  command: string
  activated?: number
}

test('two rollbacks go back twice, and no further than the first release', async () => {
  for (const version of ['one', 'two', 'three']) await deploy(version)
  expect((await command('rollback')).code).toBe(0)
  expect(titleOf()).toBe('two')
  expect((await command('rollback')).code).toBe(0)
  expect(titleOf()).toBe('one')
  expect(await command('rollback')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('static has no release before release 1'),
  })
  expect(titleOf()).toBe('one')
})

test('a staged release changes nothing that visitors see, until it is activated', async () => {
  const before = await deploy('live')
  await deploy('staged', { activate: false })
  const after = live()
  for (const [key, object] of before) expect(after.get(key), key).toEqual(object)
  const added = [...after.keys()].filter((key) => !before.has(key))
  expect(added).toEqual([expect.stringMatching(/^static\/assets\/.*\.js$/)])

  // The same build again stages nothing new.
  await deploy('staged', { activate: false })
  expect(writes(target.s3)).toEqual([])

  const activated = await command('activate', '2', '--json')
  expect(activated, activated.stderr).toMatchObject({ code: 0, result: { status: 'live', release: 3, bytes: 0 } })
  expect(titleOf()).toBe('staged')
  // A direct deploy of the same files finds nothing to do.
  await deploy('staged')
  expect(writes(target.s3)).toEqual([])
})

test('a rollback knows a live release without a record', async () => {
  await deploy('one')
  await deploy('two')
  target.s3.server.intercept = ({ method, key = '' }) =>
    method === 'PUT' && key.endsWith('.json.gz') ? { status: 403, code: 'AccessDenied' } : undefined
  await deploy('bad')
  target.s3.server.intercept = undefined
  expect(titleOf()).toBe('bad')
  expect((await command('rollback')).code).toBe(0)
  expect(titleOf()).toBe('two')
})

test('a rollback without a record that can be read says so', async () => {
  await deploy('one')
  const Key = '.static-s3/static/releases/99999998.json.gz'
  await target.s3.client().send(new PutObjectCommand({ Bucket: target.bucket, Key, Body: 'damaged' }))
  const { stderr } = await command('rollback')
  expect(stderr).toMatch(/static has no release whose record can be read\n.*99999998\.json\.gz is damaged/)
})

test('a synced folder is neither staged nor held, because its files have no backup', async () => {
  const media = await makeApp({ 'photo.jpg': 'photo' })
  const env = { ...deployEnv(target.s3, target.bucket), STATIC_S3_ACTIVATE: '0' }
  const { code, stderr } = await runCommand('/', ['sync', media, 'media'], env)
  expect(code, stderr).toBe(0)
  const keys = [...target.s3.server.objects(target.bucket).keys()]
  expect(keys.filter((key) => !key.includes('/releases/'))).toEqual(['media/photo.jpg'])
  for (const words of [
    ['hold', 'why'],
    ['activate', '1'],
  ]) {
    const refused = await command(...words, '--location', 'media')
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('media has the files of a folder') })
  }
})

test('a first release can be staged', async () => {
  await deploy('first', { activate: false })
  expect([...live().keys()]).toEqual([expect.stringMatching(/assets/)])
  expect((await command('rollback')).code).toBe(1)
  expect((await command('activate', '1')).code).toBe(0)
  expect(titleOf()).toBe('first')
})

test('an activation needs every file: what is missing is named, and nothing changes', async () => {
  await deploy('one')
  const script = [...live().keys()].find((key) => key.endsWith('.js')) as string
  await deploy('two')
  const keys = [...target.s3.server.objects(target.bucket).keys()]
  const Objects = [script, ...keys.filter((key) => key.startsWith('.static-s3/static/objects/'))].map((Key) => ({
    Key,
  }))
  await target.s3.client().send(new DeleteObjectsCommand({ Bucket: target.bucket, Delete: { Objects } }))
  const { code, stderr } = await command('activate', '1')
  expect(code).toBe(1)
  expect(stderr).toContain(`${script.slice('static/'.length)} is not there any more`)
  expect(stderr).toContain('index.html has lost its backup in .static-s3/')
  expect(stderr).toContain("release 1 can't go live")
  expect(titleOf()).toBe('two')
  expect(writes(target.s3)).toEqual([])
})

test.each<[words: string[], code: number, says: RegExp]>([
  [['activate'], 2, /needs the number of a release/],
  [['activate', '0'], 2, /0 is no number of a release/],
  [['activate', '1e3'], 2, /1e3 is no number/],
  [['activate', '1', '2'], 2, /takes one release/],
  [['activate', '7'], 1, /static has no release 7: static-s3 releases lists them/],
  [['rollback'], 1, /static has no release yet/],
  [['hold'], 2, /hold needs a reason/],
  [['hold', 'why'], 1, /static has no release yet, so there is nothing to hold/],
  [['resume', 'x'], 2, /resume takes no words/],
  [['releases', '1', '2', '3'], 2, /two numbers at most/],
  [['releases', '--most', '0'], 2, /--most is 0: use a whole number from 1/],
  [['prune'], 1, /static has no release yet, so nothing can be pruned/],
  [['releases', '3'], 1, /has no release 3/],
])('static-s3 %j, before any release, ends with %i', async (words, code, says) => {
  const result = await command(...words)
  expect(result.code).toBe(code)
  expect(result.stderr).toMatch(says)
})

test('releases prints a table, one release, and the difference of two', async () => {
  expect((await command('releases')).stdout).toContain('no release yet')
  await deploy('one')
  await deploy('two')
  await command('hold', 'a talk')
  const { stdout } = await command('releases')
  expect(stdout).toMatch(
    /\n {2}3 {2}hold .*\n {2}2 {2}live .* 4 files {2}3 new .*\n {2}1 {2}earlier .*\n {2}Deploys are held: a talk \(/,
  )
  const one = await command('releases', '2')
  expect(one.stdout).toMatch(/^release 2\n/)
  expect(one.stdout).toContain('about.html (no fingerprint)')
  const difference = await command('releases', '1', '2', '--json')
  expect(difference.result).toMatchObject({ changed: ['index.html', 'robots.txt'], headers: [] })
  expect(difference.result.added).toHaveLength(1)
  expect((await command('releases', '3', '--json')).result).toMatchObject({
    live: 2,
    files: {},
    hold: { reason: 'a talk' },
  })
  for (const words of [
    ['activate', '3'],
    ['releases', '2', '3'],
  ]) {
    const stderr = expect.stringContaining('release 3 has no files: it is a hold or a prune')
    expect(await command(...words)).toMatchObject({ code: 1, stderr })
  }
  expect((await command('activate', '2')).stdout).toContain('These files are live already.')
})

import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { deployTarget, listeningLogger, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { distribution, type EmbeddedCloudFront, startCloudFront } from '../../fixtures/cloudfront/server.js'
import { type Options, type Result, staticS3 } from '../../src/vite.js'

// Builds and commands whose bucket has a CloudFront distribution before it.

const target = deployTarget()
let cloudFront: EmbeddedCloudFront
let dir: string
beforeAll(async () => {
  cloudFront = await startCloudFront(() => target.s3.credentials)
})
beforeEach(async () => {
  cloudFront.reset()
  vi.stubEnv('AWS_ENDPOINT_URL_CLOUDFRONT', cloudFront.endpoint)
  dir = await makeApp({ 'public/robots.txt': '# always the same' })
})
afterAll(() => cloudFront.close())

/** CloudFront keeps pages for five minutes. */
const rules = [{ match: '*.html', cacheControl: 'max-age=0, s-maxage=300', metadata: { 'cache-tag': 'pages' } }]
const sites = { customDomain: 'cdn.example.com', cloudfront: { distributionId: distribution }, rules }

async function deploy(version: string, options: Options = {}) {
  await writeFiles(dir, {
    'index.html': `<!doctype html><title>${version}</title><script type="module" src="/main.js"></script>`,
    'main.js': `document.title = '${version}'`,
    'public/data.json': JSON.stringify({ version }),
  })
  const { said, customLogger } = listeningLogger()
  const report = join(dir, 'report.json')
  const results: Result[] = []
  const onReleased = async (result: Result) => void results.push(result)
  const plugins = [staticS3({ ...sites, report, onReleased, ...options })]
  await viteBuild('vite', dir, { plugins, customLogger, logLevel: 'info' })
  const result: Result = JSON.parse(await readFile(report, 'utf8'))
  return { said: said.join('\n'), result, results, requested: cloudFront.invalidations.map(({ paths }) => paths) }
}

const pages = ['/static', '/static/', '/static/?*', '/static/index.html*', '/static?*']

test('a deploy invalidates pages that CloudFront keeps, but neither new nor revalidated files', async () => {
  const first = await deploy('one')
  expect(first.result).toMatchObject({ status: 'live', invalidated: [] })
  expect(first.results).toEqual([first.result])
  expect(cloudFront.requests).toBe(0)
  const page = { Bucket: target.bucket, Key: 'static/index.html' }
  const { Metadata } = await target.s3.client().send(new HeadObjectCommand(page))
  // CloudFront gets x-amz-meta-cache-tag.
  expect(Metadata).toEqual({ 'cache-tag': 'pages' })

  const dry = await deploy('two', { dryRun: true })
  expect(dry.said).toMatch(/ {2}CloudFront {5}5 {2}to invalidate in E1A2B3C4D5E6F7: \/static \/static\//)
  expect(dry.result.invalidated).toEqual([{ distribution, id: null, paths: pages }])
  const staged = await deploy('two', { activate: false })
  expect(staged.result).toMatchObject({ status: 'staged', invalidated: [] })
  expect([dry.results, staged.results, cloudFront.requests]).toEqual([[], [], 0])

  const second = await deploy('two')
  expect(second.requested).toEqual([pages])
  expect(second.result.invalidated).toEqual([{ distribution, id: cloudFront.invalidations[0]?.id, paths: pages }])
  expect(second.results).toEqual([second.result])
  expect(second.said).toMatch(/ {2}CloudFront {5}5 {2}invalidated in E1A2B3C4D5E6F7: \/static \/static\//)

  const unchanged = await deploy('two')
  expect(unchanged.result).toMatchObject({ status: 'unchanged', invalidated: [] })
  expect(unchanged.results).toEqual([])
  const forced = await deploy('two', { force: true })
  expect(forced.requested).toEqual([pages, pages])
})

const commandEnv = () => ({
  ...deployEnv(target.s3, target.bucket),
  AWS_S3_CUSTOM_DOMAIN: 'cdn.example.com',
  AWS_CLOUDFRONT_DISTRIBUTION_ID: distribution,
  AWS_ENDPOINT_URL_CLOUDFRONT: cloudFront.endpoint,
  GITHUB_STEP_SUMMARY: join(dir, 'summary.md'),
})

test('a rollback, a promotion and a sync invalidate, by the environment', async () => {
  const env = commandEnv()
  const invalidatedBy = async (words: string[], more: Record<string, string> = {}) => {
    cloudFront.reset()
    const { code, stdout, stderr } = await runCommand(dir, [...words, '--json'], { ...env, ...more })
    expect(code, stderr).toBe(0)
    const [made] = JSON.parse(stdout).invalidated
    expect(made?.id).toBe(cloudFront.invalidations[0]?.id)
    return made?.paths
  }
  await deploy('one')
  expect(await invalidatedBy(['promote', 'static', 'live'])).toBeUndefined()
  await deploy('two')
  expect(await invalidatedBy(['promote', 'static', 'live'])).toEqual(
    pages.map((path) => path.replace('static', 'live')),
  )
  expect(await invalidatedBy(['rollback'])).toEqual(pages)
  expect(await readFile(env.GITHUB_STEP_SUMMARY, 'utf8')).toContain(
    `    invalidated in ${distribution}: /static /static/`,
  )

  const kept = { AWS_S3_OBJECT_PARAMETERS: '{"CacheControl": "max-age=600"}' }
  await writeFiles(dir, { 'media/a.txt': 'a', 'media/b.txt': 'b' })
  expect(await invalidatedBy(['sync', 'media', 'media'], kept)).toBeUndefined()
  await rm(join(dir, 'media/a.txt'))
  expect(await invalidatedBy(['sync', 'media', 'media', '--delete'], kept)).toEqual(['/media/a.txt*'])

  const policy = await runCommand(dir, ['policy', 'iam'], env)
  expect(policy.stdout).toContain(`"arn:aws:cloudfront::*:distribution/${distribution}"`)
})

test('a deploy without a record invalidates again: it may have ended before', async () => {
  await deploy('one')
  let requestedBefore = 0
  target.s3.server.intercept = ({ method, key = '' }) => {
    if (method !== 'PUT' || !/^\.static-s3\/static\/releases\/.*\.gz$/.test(key)) return undefined
    requestedBefore = cloudFront.requests
    return { status: 403, code: 'AccessDenied' }
  }
  const cut = await deploy('two')
  expect(cut.said).toContain('its record could not be written')
  expect(requestedBefore).toBe(1)
  target.s3.server.intercept = undefined
  expect((await deploy('two')).requested).toEqual([pages, pages])
  expect((await deploy('two')).requested).toEqual([pages, pages])
})

test.each([false, true])(
  'prune --unreferenced invalidates the files that it deletes, also if it fails: %s',
  async (fails) => {
    await deploy('one', { rules: [{ match: 'data.json', cacheControl: 'max-age=600' }] })
    await deploy('two', { exclude: 'data.json' })
    cloudFront.reset()
    const words = ['prune', '--unreferenced', '--json']
    // The next one does not find the file any more.
    if (fails)
      target.s3.server.intercept = ({ method, key }) =>
        method === 'PUT' && key?.endsWith('.json.gz') ? { status: 403, code: 'AccessDenied' } : undefined
    const { code, stdout, stderr } = await runCommand(dir, words, commandEnv())
    target.s3.server.intercept = undefined
    expect(code, stderr).toBe(fails ? 1 : 0)
    if (!fails) expect(JSON.parse(stdout).deleted).toEqual(['static/data.json'])
    expect(stderr).toContain(`invalidated in ${distribution}: /static/data.json*`)
    expect(cloudFront.invalidations.map(({ paths }) => paths)).toEqual([['/static/data.json*']])
  },
)

test('onReleased that fails is a warning', async () => {
  const onReleased = () => Promise.reject(new Error('the chat is down'))
  const { said, result } = await deploy('one', { onReleased, cloudfront: {} as never })
  const warning = '`onReleased` failed, but the release is live: the chat is down'
  expect(said).toContain(warning)
  expect(result).toMatchObject({ status: 'live', warnings: [warning] })
  expect(result).not.toHaveProperty('invalidated')
})

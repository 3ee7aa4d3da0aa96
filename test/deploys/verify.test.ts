import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stripVTControlCharacters } from 'node:util'
import { gzipSync } from 'node:zlib'
import {
  DeletePublicAccessBlockCommand,
  PutBucketCorsCommand,
  PutBucketPolicyCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { createLogger, type InlineConfig } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { launchBrowser, type OpenPage, type TestBrowser } from '../../fixtures/browser/index.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { deployTarget, makeApp, viteBuild, writeFiles } from '../../fixtures/build/in-process.js'
import { type BuildResult, buildVite } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'

// The visitor's view of a real deploy: what it says of a bucket that nobody prepared, and that its advice helps.

let browser: TestBrowser
beforeAll(async () => {
  browser = await launchBrowser()
})
afterAll(() => browser.close())

/** The commands that a deploy printed, in its order. */
function pasted(output: string): { operation: string; bucket: string; value: string }[] {
  const commands = output.matchAll(/^aws --endpoint-url \S+ s3api (\S+) --bucket (\S+) --[\w-]+ '(.*)'$/gm)
  return [...commands].map(([, operation = '', bucket = '', value = '']) => ({ operation, bucket, value }))
}

/** As the AWS command line would. */
async function paste(client: S3Client, output: string): Promise<string[]> {
  const commands = pasted(output)
  for (const { operation, bucket: Bucket, value } of commands) {
    if (operation === 'put-bucket-policy') await client.send(new PutBucketPolicyCommand({ Bucket, Policy: value }))
    else await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: JSON.parse(value) }))
  }
  return commands.map(({ operation }) => operation)
}

async function open(build: BuildResult, use: (page: OpenPage) => Promise<void>): Promise<void> {
  const pages = await servePages(build.outDir)
  const page = await browser.openPage(pages.origin)
  try {
    await use(page)
  } finally {
    await page.close()
    await pages.close()
  }
}

const isPublic = async (s3: TestS3, bucket: string, key: string) =>
  (await fetch(`${s3.endpoint}/${bucket}/${key}`)).status === 200

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`a bucket that nobody prepared, on ${title}`, () => {
    let s3: TestS3
    beforeAll(async () => {
      s3 = await start()
    })
    afterAll(() => s3?.close())

    const prepared = async (name: string) => {
      const bucket = await s3.createBucket(name)
      // A new AWS bucket refuses public policies. Ceph 16 has no such block, and takes its deletion for something else.
      if (s3.name === 'embedded') await s3.client().send(new DeletePublicAccessBlockCommand({ Bucket: bucket }))
      return bucket
    }

    it('gets a blank page with a warning, and after the pasted commands a whole page without one', async () => {
      const bucket = await prepared('nobody-prepared')
      const env = { ...deployEnv(s3, bucket), STATIC_S3_VERIFY: '' }
      const first = await buildVite('create-vue', { env })
      expect(first.code).toBe(0)
      expect(first.output).toContain("static-s3: visitors can't use this release:\n  - status 403 (AccessDenied): ")
      expect(first.output).toContain('  - no CORS rules in the bucket')
      expect(first.output).toMatch(/^! release 1 live in .*, but see the warning above$/m)
      await open(first, async ({ page, errors }) => {
        expect(await page.locator('#climb').count()).toBe(0)
        expect(errors.length).toBeGreaterThan(0)
      })

      expect(await paste(s3.client(), first.output)).toEqual(['put-bucket-policy', 'put-bucket-cors'])
      const second = await buildVite(first.dir, { env, files: { 'public/new.css': 'a { color: red }' } })
      expect(second.output).not.toContain('visitors')
      expect(second.output).toMatch(/^✓ release 2 live in /m)
      await open(second, async ({ page, errors }) => {
        await page.waitForSelector('#climb')
        expect(errors).toEqual([])
      })
      expect(await isPublic(s3, bucket, 'static/new.css')).toBe(true)
      expect(await isPublic(s3, bucket, '.static-s3/static/releases/99999998.lock')).toBe(false)
    })

    it('at its root: the pasted policy leaves the records out, and says so where another policy does not', async () => {
      const bucket = await prepared('nobody-prepared-root')
      const env = { ...deployEnv(s3, bucket), AWS_LOCATION: '', STATIC_S3_VERIFY: 'warn' }
      const first = await buildVite('vanilla', { env })
      await paste(s3.client(), first.output)
      expect(await isPublic(s3, bucket, 'index.html')).toBe(true)
      expect(await isPublic(s3, bucket, '.static-s3/releases/99999998.lock')).toBe(false)

      const everything = pasted(first.output)[0]?.value.replace(
        /"NotResource":"[^"]*"/,
        `"Resource":"arn:aws:s3:::${bucket}/*"`,
      )
      await s3.client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: everything }))
      const second = await buildVite(first.dir, { env, files: { 'public/new.txt': 'new' } })
      expect(second.output).toContain('visitors can read more than this release:\n  - everybody can read who deployed')
      expect(await paste(s3.client(), second.output)).toEqual(['put-bucket-policy'])
      const third = await buildVite(first.dir, { env, files: { 'public/new.txt': 'newer' } })
      expect(third.output).not.toContain('visitors')
    })
  })
}

describe('a deploy', () => {
  const target = deployTarget({ public: 'static/', cors: '*' })
  beforeEach(() => {
    vi.stubEnv('STATIC_S3_VERIFY', 'warn')
  })

  const app = () =>
    makeApp({
      'index.html': '<link rel=stylesheet href=/src/a.css><script type=module src=/src/a.js></script>',
      'src/a.css': 'a { color: red }',
      'src/a.js': 'console.log(1)',
      'public/robots.txt': '1',
    })

  /** What it prints. A failed build rejects. */
  async function deploy(dir: string, options: Options = {}): Promise<string> {
    const lines: string[] = []
    const log = (line: string) => void lines.push(stripVTControlCharacters(line))
    const customLogger = Object.assign(createLogger('silent'), { info: log, warn: log })
    const config: InlineConfig = { customLogger, logLevel: 'info', plugins: [staticS3(options)] }
    target.s3.server.reset()
    await viteBuild('vite', dir, config)
    return lines.join('\n')
  }

  /** What nobody signed, and the request for the bucket's rules. */
  const looks = () =>
    target.s3.server.requests
      .filter(({ principal, operation }) => principal === 'anonymous' || operation === 'GetBucketCors')
      .map(({ operation, key = '' }) => `${operation} ${key.replace(/-[\w-]+\./, '.')}`.trim())
      .sort()

  it('costs four small requests if anything changed, and none if nothing did', async () => {
    const dir = await app()
    const fetched = ['GetObject static/assets/index.css', 'GetObject static/assets/index.js']
    const all = ['GetBucketCors', ...fetched, 'HeadObject .static-s3/static/releases/99999998.lock']
    expect(await deploy(dir)).toMatch(/^✓ release 1 live/m)
    expect(looks()).toEqual(all)
    await deploy(dir)
    expect(looks()).toEqual([])
    await writeFiles(dir, { 'public/robots.txt': '2' })
    await deploy(dir)
    expect(looks()).toEqual([...all.slice(0, 3), all[3]?.replace('98', '97')])
    await writeFiles(dir, { 'public/robots.txt': '3' })
    await deploy(dir, { verify: false })
    await writeFiles(dir, { 'public/robots.txt': '4' })
    await deploy(dir, { dryRun: true })
    expect(looks()).toEqual([])
  })

  it('that must be verified stops before its pages, and says what visitors see', async () => {
    const dir = await app()
    await deploy(dir)
    await writeFiles(dir, { 'src/a.js': 'console.log(2)', 'index.html': '<script type=module src=/src/a.js></script>' })
    target.s3.server.intercept = ({ headers, key = '' }) =>
      headers.authorization === undefined && key.endsWith('.js') ? { status: 503, code: 'SlowDown' } : undefined
    await expect(deploy(dir, { verify: 'fail' })).rejects.toThrow(
      /^static-s3: visitors can't use this release:\n {2}- status 503 \(SlowDown\): http.*\.js\n\nThe site stands as it was\. 1 of 2 files are up/s,
    )
    const written = target.s3.server.requests.filter(
      ({ method, key = '' }) => method === 'PUT' && key.startsWith('static/'),
    )
    expect(written.map(({ key = '' }) => key.replace(/-[\w-]+\./, '.'))).toEqual(['static/assets/index.js'])
    target.s3.server.intercept = undefined
    expect(await deploy(dir, { verify: 'fail' })).toMatch(/^✓ release \d live/m)
  })

  it('whose domain cannot be reached from here says so, and fails only if it must be verified', async () => {
    const dir = await app()
    const customDomain = 'http://127.0.0.1:9'
    const unreachable =
      "127.0.0.1:9 can't be reached from here (ECONNREFUSED): static-s3 has not seen this release as visitors do"
    await expect(deploy(dir, { customDomain, verify: 'fail' })).rejects.toThrow(unreachable)
    const output = await deploy(dir, { customDomain })
    expect(output).toContain(unreachable)
    expect(output).toMatch(/^✓ release \d live/m)
  })

  describe('behind a CDN', () => {
    let cdn: Server
    let change: (body: Buffer, headers: Record<string, string>) => [body: Buffer, headers: Record<string, string>]
    let hosts: string[] = []
    beforeAll(async () => {
      cdn = createServer(async ({ url = '', method = 'GET', headers: { origin, host } }, response) => {
        hosts.push(`${host} ${url}`)
        const path = url.startsWith('http') ? new URL(url).pathname : url
        const { endpoint } = target.s3
        const from = await fetch(`${endpoint}/${target.bucket}${path}`, { method, headers: origin ? { origin } : {} })
        const headers: Record<string, string> = {}
        from.headers.forEach((value, name) => {
          if (/^(content-type|access-)/.test(name)) headers[name] = value
        })
        const [body, changed] = change(Buffer.from(await from.arrayBuffer()), headers)
        response.writeHead(from.status, changed).end(body)
      })
      await new Promise<void>((resolve) => cdn.listen(0, '127.0.0.1', resolve))
    })
    afterEach(() => {
      hosts = []
    })
    afterAll(() => {
      cdn.close()
      cdn.closeAllConnections()
    })
    const domain = () => `127.0.0.1:${(cdn.address() as AddressInfo).port}`

    it.each<[name: string, changes: typeof change, finding: string | undefined]>([
      ['that compresses', (body, headers) => [gzipSync(body), { ...headers, 'content-encoding': 'gzip' }], undefined],
      [
        'that drops CORS headers',
        (body, { 'content-type': type = '' }) => [body, { 'content-type': type }],
        'no Access-Control-Allow-Origin, although',
      ],
      [
        'that changes types',
        (body, headers) => [body, { ...headers, 'content-type': 'text/plain' }],
        'Content-Type "text/plain"',
      ],
      [
        'that changes files',
        (body, headers) => [Buffer.concat([body, Buffer.from('/**/')]), headers],
        'other bytes than were uploaded',
      ],
    ])('%s', async (_name, changes, finding) => {
      change = changes
      const output = await deploy(await app(), { customDomain: `http://${domain()}` })
      expect(hosts.filter((each) => each.includes('/static/assets/')).length).toBe(2)
      if (finding === undefined) expect(output).not.toContain('visitors')
      else expect(output).toContain(`visitors can't use this release:\n  - ${finding}`)
    })

    it('that only a proxy reaches', async () => {
      change = (body, headers) => [body, headers]
      vi.stubEnv('http_proxy', `http://${domain()}`)
      vi.stubEnv('no_proxy', new URL(target.s3.endpoint).host)
      const output = await deploy(await app(), { customDomain: 'http://cdn.example.com' })
      expect(output).not.toContain('visitors')
      expect(
        hosts.filter((each) => each.startsWith('cdn.example.com http://cdn.example.com:80/static/assets/')).length,
      ).toBe(2)
    })
  })
})

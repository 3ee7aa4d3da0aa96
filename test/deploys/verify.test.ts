import {
  DeletePublicAccessBlockCommand,
  PutBucketCorsCommand,
  PutBucketPolicyCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { launchBrowser, type OpenPage, type TestBrowser } from '../../fixtures/browser/index.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type BuildResult, buildVite } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { type EmbeddedS3, s3Servers, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'

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
      expect(first.output).toMatch(/^! release 1 live in .*, but not as visitors need it: see the warning above$/m)
      await open(first, async ({ page, errors }) => {
        expect(await page.textContent('body')).not.toContain('Fjordline')
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

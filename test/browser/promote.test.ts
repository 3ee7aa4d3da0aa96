import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, type TestBrowser } from '../../fixtures/browser/index.js'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { buildApp } from '../../fixtures/build/index.js'
import { servePages } from '../../fixtures/pages/index.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

// One build works under two domains and two locations: where it was deployed, and where it was promoted to.

let browser: TestBrowser
let s3: EmbeddedS3
beforeAll(async () => {
  ;[browser, s3] = await Promise.all([launchBrowser(), startEmbedded()])
})
afterAll(async () => {
  await removeFolders()
  await Promise.all([browser?.close(), s3?.close()])
})

/** A domain that leads to a bucket. */
async function domainOf(bucket: string) {
  const server = createServer(async (request, response) => {
    const found = await fetch(`${s3.endpoint}/${bucket}${request.url}`)
    const type = found.headers.get('content-type') ?? ''
    response.writeHead(found.status, { 'content-type': type, 'access-control-allow-origin': '*' })
    response.end(Buffer.from(await found.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return { name: `localhost:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

/** The results of the page's own checks. Its pages come from a folder, and everything else from the public URL. */
async function checksIn(folder: string, publicUrl: string): Promise<Record<string, unknown>> {
  const pages = await servePages(folder)
  const { page, errors, requests, close } = await browser.openPage(`${pages.origin}/`)
  const read = () => page.evaluate(() => (window as unknown as { __checks?: Record<string, unknown> }).__checks ?? {})
  try {
    await expect.poll(async () => (await read()).done).toBe(true)
    const assets = requests.filter(({ url, resourceType }) => url.startsWith('http') && resourceType !== 'document')
    expect(errors).toEqual([])
    expect(assets.length).toBeGreaterThan(10)
    expect(assets.map(({ url }) => url).filter((url) => !url.startsWith(publicUrl))).toEqual([])
    return await read()
  } finally {
    await close()
    await pages.close()
  }
}

test.each([
  ['Vite 5', 'vanilla', 'vite.config.ts', { vite: 'vite5' }],
  ['Vite 8', 'vanilla', 'vite.config.ts', {}],
  ['webpack', 'webpack', 'webpack.config.cjs', {}],
  ['Rspack', 'rspack', 'rspack.config.cjs', {}],
] as const)('%s', async (_name, app, configFile, options) => {
  const bucket = await s3.createBucket(undefined, { public: '', cors: '*' })
  const env = { ...deployEnv(s3, bucket), AWS_S3_URL_PROTOCOL: 'http:' }
  const config = await readFile(`fixtures/apps/${app}/${configFile}`, 'utf8')
  const files = { [configFile]: config.replace(/(staticS3|StaticS3Plugin)\(\)/, "$1({ rewrite: 'relative' })") }
  const built = await buildApp(app, { ...options, files, env: { ...env, AWS_LOCATION: 'staging' } })
  expect(built.code, built.output).toBe(0)
  const domain = await domainOf(bucket)
  try {
    const promoted = await runCommand(
      built.dir,
      ['promote', 'staging', 'shop/live', '--custom-domain', domain.name],
      env,
    )
    expect(promoted.code, promoted.stderr).toBe(0)
    const page = s3.server.objects(bucket).get('shop/live/index.html')?.body
    const live = await makeFolder({ 'index.html': page ?? '' })
    const [from, to] = [`${s3.endpoint}/${bucket}/staging/`, `http://${domain.name}/shop/live/`]
    const before = await checksIn(built.outDir, from)
    expect(before.staticUrl).toBe(from)
    expect(Object.entries(before).filter(([, found]) => /^failed|^false/.test(String(found)))).toEqual([])
    expect(await checksIn(live, to)).toEqual({ ...before, staticUrl: to })
  } finally {
    domain.close()
  }
})

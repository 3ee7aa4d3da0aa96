import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildVite, copyApp, readTree } from '../../fixtures/build/index.js'
import { siteObjects } from '../../fixtures/build/site.js'
import { location } from '../../fixtures/release/versions.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'

describe('two builds at once, each in its own process', () => {
  let s3: EmbeddedS3
  let bucket: string

  beforeAll(async () => {
    s3 = await startEmbedded({ latencyMs: 30 })
    bucket = await s3.createBucket()
  })
  afterAll(() => s3.close())

  /** Two pages that say whose they are, with a chunk, a style and a public file of their own. */
  const version = (name: string) => ({
    'index.html': `<!doctype html><title>${name}</title><script type="module" src="/src/main.ts"></script>`,
    'nested/page.html': `<!doctype html><title>${name}</title><script type="module" src="/src/lazy.ts"></script>`,
    'src/main.ts': `import './style.css'\ndocument.title = import.meta.env.STATIC_URL\nimport('./lazy')`,
    'src/lazy.ts': `import './lazy.css'\ndocument.body.append('${name}')`,
    'src/lazy.css': `body::after { content: '${name}' }`,
    'public/version.txt': name,
  })

  test('what stands at the end is one of them, whole, and both have succeeded', async () => {
    const dirs = await Promise.all([copyApp('vanilla'), copyApp('vanilla')])
    for (const round of ['first', 'second']) {
      s3.server.reset()
      const builds = await Promise.all(
        dirs.map((dir, index) => {
          return buildVite(dir, { files: version(`${round} of ${index}`), env: deployEnv(s3, bucket) })
        }),
      )
      for (const { code, output } of builds) expect(code, output).toBe(0)
      const sites = await Promise.all(builds.map(({ outDir }) => readTree(outDir)))
      const objects = siteObjects(s3, bucket)
      const there = (path: string) => objects.get(`${location}/${path}`)?.body.toString()
      const winner = sites.findIndex((site) => site.get('index.html')?.toString() === there('index.html'))
      expect(winner, `${there('index.html')}\n${builds.map(({ output }) => output).join('\n')}`).not.toBe(-1)
      for (const [path, bytes] of sites[winner] as Map<string, Buffer>) {
        if (!/(^|\/)\.|\.map$/.test(path)) expect(there(path), `${path}, ${round} round`).toBe(bytes.toString())
      }
      // Both had something that visitors see, and so each of them had the lock.
      const locks = s3.server.requests.filter(({ method, key, status }) => {
        return method === 'PUT' && key?.endsWith('.lock') && status === 200
      })
      expect(new Set(locks.map(({ key }) => key)).size).toBeGreaterThanOrEqual(2)
      const waited = builds.filter(({ output }) => output.includes('waiting for'))
      expect(waited.length).toBeLessThanOrEqual(1)
    }
  })
})

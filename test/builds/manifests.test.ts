import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deployTarget, makeApp, viteBuild } from '../../fixtures/build/in-process.js'
import { siteObjects } from '../../fixtures/build/site.js'
import { staticS3 } from '../../src/vite.js'

const target = deployTarget()

test("a deploy leaves Vite's manifest on the disk as Vite wrote it, with paths and no URL", async () => {
  const dir = await makeApp({ 'index.html': '<script type="module" src="./main.js"></script>', 'main.js': 'alert(1)' })
  const file = join(dir, 'dist/.vite/manifest.json')
  let written = ''
  const reader = {
    name: 'reads-the-manifest',
    async writeBundle() {
      written = await readFile(file, 'utf8')
    },
  }
  await viteBuild('vite', dir, { plugins: [staticS3(), reader], build: { manifest: true } })
  expect(await readFile(file, 'utf8')).toBe(written)
  expect(JSON.parse(written)).toEqual({
    'index.html': {
      file: expect.stringMatching(/^assets\/index-[\w-]+\.js$/),
      name: 'index',
      src: 'index.html',
      isEntry: true,
    },
  })
  const uploaded = [...siteObjects(target.s3, target.bucket).keys()]
  expect(uploaded.filter((key) => /index|manifest/.test(key))).toHaveLength(2)
})

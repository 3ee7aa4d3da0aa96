import { createHash } from 'node:crypto'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withSlashes } from '../urls/paths.js'
import type { Nitro, Nuxt } from './nuxt.js'

/** Nuxt only asks whether a page was prerendered, not when. */
const plugin = `import { defineNuxtPlugin } from '#app'
export default defineNuxtPlugin(({ payload }) => {
  if (payload.prerenderedAt) payload.prerenderedAt = 1
})
`

/**
 * Makes two builds of the same site equal, so that the second one sends nothing. Nuxt writes a random build id and the time into each
 * prerendered page and payload.
 */
export function makeRepeatable(nuxt: Nuxt): void {
  const { build, buildDir, plugins } = nuxt.options
  const filename = 'static-s3.server.mjs'
  build.templates.push({ filename, getContents: () => plugin })
  plugins.push({ src: join(buildDir, filename), mode: 'server' })
  const prerendered: string[] = []
  nuxt.hook('nitro:init', ({ hooks }) => {
    hooks.hook('prerender:route', ({ fileName, error, skip }) => {
      if (fileName && !error && !skip) prerendered.push(fileName)
    })
  })
  // The public folder is complete, and the server's code is not bundled yet.
  nuxt.hook('nitro:build:public-assets', async (nitro) => {
    // Compressed copies have the random id, and are there already.
    if (!nitro.options.compressPublicAssets) await replaceBuildId(nuxt, nitro, prerendered)
  })
}

/**
 * The new id is made from the content of all pages and payloads and from the scripts' names, because a browser uses a payload that it has under
 * the same id without asking again.
 */
async function replaceBuildId({ options }: Nuxt, nitro: Nitro, prerendered: readonly string[]): Promise<void> {
  const { app } = nitro.options.runtimeConfig
  const { buildId = '' } = app
  const { publicDir } = nitro.options.output
  const assets = options.app.buildAssetsDir.slice(1)
  const names = (await readdir(join(publicDir, assets), { recursive: true })).map((name) => withSlashes(name)).sort()
  const isManifest = (name: string) => /^builds\/.+\.json$/.test(name)
  const manifests = names.filter(isManifest).map((name) => assets + name)
  const contents = new Map<string, string>()
  for (const path of [...new Set([...prerendered, ...manifests])].sort()) {
    // A prerendered file may be a picture: latin1 keeps its bytes.
    contents.set(path, await readFile(join(publicDir, path), 'latin1'))
  }
  for (const path of manifests)
    contents.set(path, String(contents.get(path)).replace(/"timestamp":\d+/, '"timestamp":1'))
  const id = isRandom(buildId) ? idOf([...names, ...[...contents].flat()].join('\n').replaceAll(buildId, '')) : buildId
  for (const [path, content] of contents) {
    const renamed = path.replaceAll(buildId, id)
    if (renamed !== path) await rename(join(publicDir, path), join(publicDir, renamed))
    await writeFile(join(publicDir, renamed), content.replaceAll(buildId, id), 'latin1')
  }
  app.buildId = id
}

/** False for an id that the user has chosen. */
function isRandom(id: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)
}

/** In the form of Nuxt's own, so that sizes stay. */
function idOf(text: string): string {
  const hash = createHash('sha256').update(text, 'latin1').digest('hex')
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
}

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filesBelow } from '../runtime/files-below.js'
import { orUndefined } from '../runtime/or-undefined.js'
import type { Nitro, Nuxt } from './nuxt.js'

/**
 * Makes two builds of the same site equal, so that the second one sends nothing. Nuxt writes a random build id and the time into each
 * prerendered page and payload.
 */
export function makeRepeatable(nuxt: Nuxt): void {
  const prerendered = new Set<string>()
  nuxt.hook('nitro:init', ({ hooks }) => {
    hooks.hook('prerender:route', ({ fileName, error, skip }) => {
      if (fileName && !error && !skip) prerendered.add(fileName)
    })
  })
  // The public folder is complete, and the server's code is not bundled yet.
  nuxt.hook('nitro:build:public-assets', async (nitro) => {
    // Compressed copies have the random id, and are there already.
    if (!nitro.options.compressPublicAssets) await replaceBuildId(nuxt, nitro, prerendered)
  })
}

/**
 * The new id is made from the content of all pages and payloads and from the scripts' names, because a browser reuses
 * a payload of the same id without a request.
 */
async function replaceBuildId({ options }: Nuxt, nitro: Nitro, prerendered: ReadonlySet<string>): Promise<void> {
  const { app } = nitro.options.runtimeConfig
  const { buildId = '' } = app
  const { publicDir } = nitro.options.output
  const assets = options.app.buildAssetsDir.slice(1)
  const names = filesBelow(join(publicDir, assets)).sort()
  const manifests = names.filter((name) => /^builds\/.+\.json$/.test(name)).map((name) => assets + name)
  const contents = new Map<string, string>()
  // A prerendered file may be a picture: latin1 keeps its bytes.
  const read = (path: string) => readFile(join(publicDir, path), 'latin1')
  // Another module may have removed a page.
  const pages = [...prerendered].filter((path) => existsSync(join(publicDir, path))).sort()
  for (const path of pages) contents.set(path, withoutTime(await read(path)))
  for (const path of manifests) contents.set(path, repeatableManifest(await read(path)))
  const id = isRandom(buildId) ? idOf([...names, ...[...contents].flat()].join('\n').replaceAll(buildId, '')) : buildId
  for (const [path, content] of contents) {
    const renamed = path.replaceAll(buildId, id)
    if (renamed !== path) await rename(join(publicDir, path), join(publicDir, renamed))
    await writeFile(join(publicDir, renamed), content.replaceAll(buildId, id), 'latin1')
  }
  app.buildId = id
}

/**
 * Replaces the time in a payload, or in a page's payload. Nuxt only checks that a time is there. A payload's first element has the places of
 * its values: `[{"data":1,"prerenderedAt":4},…,1795915164897]`.
 */
export function withoutTime(content: string): string {
  const [payload, place] = /\[\{[^}]*"prerenderedAt":(\d+).*?\](?=<\/script>|$)/s.exec(content) ?? []
  if (payload === undefined) return content
  const time = orUndefined(() => JSON.parse(payload)[Number(place)])
  return content.replace(payload, () => payload.replace(new RegExp(`(?<=,)${time}(?=[,\\]])`), '1'))
}

/** Nuxt lists pages in the order in which they were ready. */
function repeatableManifest(json: string): string {
  const manifest = JSON.parse(json)
  return JSON.stringify({ ...manifest, timestamp: 1, prerendered: manifest.prerendered?.sort() })
}

/** False for an id that the user has chosen. */
function isRandom(id: string): boolean {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)
}

/** In the form of Nuxt's own. */
function idOf(text: string): string {
  const hash = createHash('sha256').update(text, 'latin1').digest('hex')
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5')
}

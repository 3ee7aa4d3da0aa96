import { existsSync } from 'node:fs'
import { constants, cp, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { namedLogger } from '../deploy/logger.js'
import { namesOfNext } from '../folders/next.js'
import { StaticS3Error } from '../runtime/error.js'
import { orUndefined } from '../runtime/or-undefined.js'
import type { Compiler } from '../webpack/compiler.js'
import { runWorkersFrom } from '../webpack/workers.js'
import type { FinishedSite } from './site.js'

/** The part of Next's configuration that is used here. */
export interface NextConfig {
  adapterPath?: string | undefined
  assetPrefix?: string
  crossOrigin?: string
  basePath?: string
  distDir?: string
  output?: string
  env?: Record<string, string | undefined>
  // biome-ignore lint/suspicious/noExplicitAny: Next types these in its own way
  images?: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  experimental?: any
  // biome-ignore lint/suspicious/noExplicitAny: the same
  webpack?: any
}

/** The part of a finished build that is used here. Folders are absolute. */
export interface NextBuild {
  config: NextConfig
  projectDir: string
  distDir: string
  nextVersion: string
  outputs: { staticFiles: readonly { id: string; filePath: string }[] }
}

/** Next gives an adapter no log. */
export const logger = namedLogger({
  info: (message) => process.stdout.write(`${message}\n`),
  warn: (message) => process.stderr.write(`${message}\n`),
})

/** The folder of public files on the page's origin, with a slash at its end. */
export function baseOf({ basePath = '' }: NextConfig): string {
  return `${basePath}/`
}

/** Defines `process.env.STATIC_URL` for application code, in the browser and on the server. */
export function defineStaticUrl<C extends NextConfig>(config: C, staticUrl: string): C {
  return { ...config, env: { ...config.env, STATIC_URL: staticUrl } }
}

/**
 * Points the URLs of Next's own files to the bucket.
 *
 * @throws StaticS3Error if the user has set another URL
 */
export function pointTo<C extends NextConfig>(config: C, publicUrl: string): C {
  const { assetPrefix = '', crossOrigin = 'anonymous', images, experimental, basePath = '' } = config
  if (assetPrefix !== '' && `${assetPrefix}/` !== publicUrl) {
    throw new StaticS3Error(
      `static-s3: assetPrefix is "${assetPrefix}": remove it, because static-s3 sets it to ${publicUrl.slice(0, -1)}`,
    )
  }
  const { protocol, hostname, port, pathname } = new URL(publicUrl)
  const original = { protocol: protocol.slice(0, -1), hostname, port, pathname: `${pathname}**` }
  return {
    ...config,
    assetPrefix: publicUrl.slice(0, -1),
    // Browsers refuse a script with `integrity` from another origin without CORS.
    crossOrigin,
    // The page's server optimizes pictures, and reads the originals at their URLs.
    images: { ...images, remotePatterns: [...(images?.remotePatterns ?? []), original] },
    // Turbopack's workers refuse scripts of another origin.
    experimental: { ...experimental, turbopackWorkerAssetPrefix: experimental?.turbopackWorkerAssetPrefix ?? basePath },
    webpack: withWorkers(config, publicUrl),
  }
}

/** Lets webpack's workers run although their files are in the bucket. */
function withWorkers(config: NextConfig, publicUrl: string) {
  const urls = { publicUrl, base: baseOf(config), isRelative: false }
  const plugin = { apply: (compiler: Compiler) => runWorkersFrom(compiler, () => urls) }
  return (webpackConfig: { plugins: object[] }, context: { isServer: boolean }) => {
    if (!context.isServer) webpackConfig.plugins.push(plugin)
    return config.webpack ? config.webpack(webpackConfig, context) : webpackConfig
  }
}

/**
 * The configuration for `next start`. Its URLs come from the build, not from the server's environment.
 *
 * @param distDir absolute
 */
export async function asBuilt<C extends NextConfig>(config: C, distDir: string): Promise<C> {
  // Next writes the configuration of the build into this file.
  const text = await readFile(join(distDir, 'required-server-files.json'), 'utf8').catch(() => '')
  const built: NextConfig | undefined = orUndefined(() => JSON.parse(text).config)
  if (!built) return config
  if (!built.adapterPath) return withoutAdapter(config)
  const url = built.env?.STATIC_URL ?? ''
  return url.includes('://') && url === `${built.assetPrefix}/` ? pointTo(config, url) : config
}

/** Next puts prerendered pages into another folder if there is an adapter. So a build that is off has none. */
export function withoutAdapter<C extends NextConfig>(config: C): C {
  return { ...config, adapterPath: undefined }
}

/** The files that a build uploads. */
export async function filesOf(build: NextBuild): Promise<FinishedSite> {
  const dir = build.config.output === 'export' ? exportedFolder(build) : await stageFiles(build)
  const named = new Set(namesOfNext(dir))
  return {
    dir,
    isImmutable: (path) => named.has(path),
    hasHash: () => true,
    // Payloads, which Next's runtime requests beside their pages.
    resolvesPath: (path) => path.endsWith('.txt'),
    base: baseOf(build.config),
    bundler: `next ${build.nextVersion}`,
  }
}

/** The folder of a static export, which has all files as they are to be in the location. */
function exportedFolder({ outputs }: NextBuild): string {
  const [{ id, filePath } = { id: '', filePath: '' }] = outputs.staticFiles
  return resolve(filePath.slice(0, -id.length))
}

/**
 * Copies the files into a folder, as they are to be in the location. Next has no such folder.
 *
 * @returns the folder
 */
async function stageFiles({ distDir, projectDir }: NextBuild): Promise<string> {
  const dir = join(distDir, 'static-s3')
  const publicDir = join(projectDir, 'public')
  const options = { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE }
  await rm(dir, { recursive: true, force: true })
  await cp(join(distDir, 'static'), join(dir, '_next/static'), options)
  if (existsSync(publicDir)) await cp(publicDir, dir, options)
  return dir
}

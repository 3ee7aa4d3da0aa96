import { resolve } from 'node:path'
import { type Logger, waitingLogger } from '../deploy/logger.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Options } from '../settings/options.js'
import { defineStaticUrl } from '../vite/config.js'
import type { FinishedSite } from './site.js'

/** The parts of Nuxt's types that are used here. */
export interface Nuxt {
  _version: string
  options: NuxtOptions
  hook(name: 'nitro:init', run: (nitro: Nitro) => void): unknown
  hook(name: 'nitro:build:public-assets', run: (nitro: Nitro) => Promise<void>): unknown
  hook(name: 'close', run: () => Promise<void>): unknown
  hook(name: 'build:error', run: () => void): unknown
}

export interface NuxtOptions {
  rootDir: string
  dev: boolean
  test: boolean
  _prepare: boolean
  build: { analyze: boolean | { enabled?: boolean } }
  app: { baseURL: string; buildAssetsDir: string; cdnURL: string }
  runtimeConfig: { app: { cdnURL: string; buildId?: string } }
  vite: { plugins?: unknown[]; define?: Record<string, unknown>; envPrefix?: string | string[] }
  nitro: { replace?: Record<string, unknown> }
  staticS3?: Options
}

export interface Nitro {
  logger: { withTag(tag: string): Logger }
  options: {
    output: { publicDir: string; serverDir: string }
    runtimeConfig: { app: { buildId?: string } }
    compressPublicAssets: unknown
  }
  hooks: {
    hook(name: 'compiled', run: () => void): unknown
    hook(name: 'prerender:route', run: (route: PrerenderedRoute) => void): unknown
  }
}

export interface PrerenderedRoute {
  /** Relative to the public folder. */
  fileName?: string
  error?: unknown
  skip?: boolean
}

/** Nuxt's log is there as soon as Nitro is. */
export function logOf(nuxt: Nuxt): Logger {
  const log = new Promise<Logger>((resolve) => {
    nuxt.hook('nitro:init', ({ logger }) => resolve(logger.withTag('static-s3')))
  })
  return waitingLogger(log)
}

/** False for a dev server, for tests, and for commands that only write types, which run after each `npm install`. */
export function buildsSite({ dev, test, _prepare, build }: NuxtOptions, logger: Logger): boolean {
  // `nuxt analyze` builds scripts without hashes in their names.
  const isAnalysis = Object(build.analyze).enabled === true
  if (isAnalysis && !dev) logger.info('is off: build.analyze is set')
  return !dev && !test && !_prepare && !isAnalysis
}

/** The URL of the public folder without static-s3. */
export function ordinaryUrl({ baseURL }: NuxtOptions['app']): string {
  return baseURL.endsWith('/') ? baseURL : `${baseURL}/`
}

/** Defines `import.meta.env.STATIC_URL` for Vue's code and for the code of Nitro's server. */
export function defineUrl({ vite, nitro }: NuxtOptions, url: string): void {
  const { define } = defineStaticUrl(url)
  vite.define = { ...vite.define, ...define }
  nitro.replace = { ...nitro.replace, ...define }
}

/** @throws StaticS3Error if the user has set another URL */
export function setCdnUrl({ app, runtimeConfig }: NuxtOptions, publicUrl: string): void {
  const given = app.cdnURL
  if (given && ordinaryUrl({ ...app, baseURL: given }) !== publicUrl) {
    const name = process.env.NUXT_APP_CDN_URL ? 'NUXT_APP_CDN_URL' : 'app.cdnURL'
    throw new StaticS3Error(
      `static-s3: ${name} is ${JSON.stringify(given)}, and the files go to ${publicUrl}: remove ${name}, or set ` +
        `AWS_S3_CUSTOM_DOMAIN and AWS_LOCATION to the same address; if something else serves the files there: rewrite: false`,
    )
  }
  app.cdnURL = publicUrl
  // The server's and the browser's code read this copy.
  runtimeConfig.app.cdnURL = publicUrl
}

/**
 * Calls back when a good build has written its last file.
 *
 * Nuxt calls `close` without a build too. Nitro calls `compiled` at the end of a good one; a hook that is added then runs after the `close`
 * hooks of other modules, which may still write.
 */
export function afterLastFile(nuxt: Nuxt, run: (nitro: Nitro) => Promise<void>): void {
  nuxt.hook('nitro:init', (nitro) => {
    nitro.hooks.hook('compiled', () => {
      nuxt.hook('close', () => run(nitro))
    })
  })
}

export function finishedSite({ _version, options: { app } }: Nuxt, { options: { output } }: Nitro): FinishedSite {
  const assets = app.buildAssetsDir.slice(1)
  return {
    dir: resolve(output.publicDir),
    isImmutable: (path) => path.startsWith(assets) && !path.startsWith(`${assets}builds/`),
    base: ordinaryUrl(app),
    // `publicAssetsURL` takes such paths.
    resolvesPath: () => true,
    notOurs: [resolve(output.serverDir)],
    bundler: `nuxt ${_version}`,
  }
}

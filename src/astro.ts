import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from './deploy/logger.js'
import { Site, withVersion } from './frameworks/site.js'
import { StaticS3Error } from './runtime/error.js'
import type { Options } from './settings/options.js'

export type { Options, Result, Rule } from './settings/options.js'

/** Astro's `AstroIntegration`: a structure, so that this package imports no Astro. */
export interface AstroIntegration {
  name: string
  // biome-ignore lint/suspicious/noExplicitAny: Astro types each hook in its own way
  hooks: Record<string, (hook: any) => void | Promise<void>>
}

interface AstroConfig {
  root: URL
  base: string
  output: string
  build: { assets: string; server: URL }
  vite: { mode?: string; envDir?: string | false; envPrefix?: string | string[] }
}

interface SetupHook {
  command: string
  config: AstroConfig
  updateConfig(config: object): void
  logger: Logger
}

interface ConfiguredHook {
  config: AstroConfig
  /** Astro 5 and later. */
  buildOutput?: string
}

interface DoneHook {
  /** The folder of the files that browsers get. */
  dir: URL
}

/**
 * Uploads the files of an Astro site to S3 and points its URLs there, if the environment says so (`USE_S3`). For static and server output.
 *
 * @param options override the environment; all can be left out
 * @see https://docs.astro.build/en/reference/integrations-reference/
 */
export function staticS3(options: Options = {}): AstroIntegration {
  const site = new Site(options)
  const integration: AstroIntegration = {
    name: 'static-s3',
    hooks: {
      async 'astro:config:setup'({ command, config: { root, vite }, updateConfig, logger }: SetupHook) {
        if (command !== 'build') return
        const rootDir = fileURLToPath(root)
        const { mode = 'production', envDir = rootDir, envPrefix = 'PUBLIC_' } = vite
        const settings = await site.begin({ mode, envDir, envPrefix, logger })
        if (settings?.rewrite) updateConfig(pointedTo(settings.publicUrl))
        // Astro appends the publisher, so it runs after integrations that write files in the same hook.
        updateConfig({ vite: { plugins: [site.vitePlugin] }, integrations: [publisherOf(site)] })
      },
    },
  }
  // Vite would take the integration for a plugin that does nothing.
  return Object.assign(integration, { configResolved: refuseVite })
}

function refuseVite(): never {
  throw new StaticS3Error(
    "static-s3: static-s3/astro stands in Vite's plugins: write integrations: [staticS3()] in the Astro configuration",
  )
}

/** The integration that runs last. */
function publisherOf(site: Site): AstroIntegration {
  let config: AstroConfig
  let hasServer: boolean
  return {
    name: 'static-s3:publish',
    hooks: {
      'astro:config:done'(configured: ConfiguredHook) {
        config = configured.config
        hasServer = (configured.buildOutput ?? config.output) !== 'static'
      },

      async 'astro:build:done'({ dir }: DoneHook) {
        const { root, base, build } = config
        await site.publish({
          dir: fileURLToPath(dir),
          isImmutable: (path) => path.startsWith(`${build.assets}/`),
          base: base.endsWith('/') ? base : `${base}/`,
          // Some adapters put the server into the folder of the files for browsers: `dist/_worker.js/`.
          notOurs: hasServer ? [resolve(fileURLToPath(build.server))] : [],
          bundler: withVersion('astro', fileURLToPath(root)),
        })
      },
    },
  }
}

function pointedTo(publicUrl: string): object {
  const { protocol, hostname, port, pathname } = new URL(publicUrl)
  return {
    build: { assetsPrefix: publicUrl.slice(0, -1) },
    // The server's image endpoint reads the originals at their URLs.
    image: { remotePatterns: [{ protocol: protocol.slice(0, -1), hostname, port, pathname: `${pathname}**` }] },
  }
}

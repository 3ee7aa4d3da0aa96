import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Plugin } from 'vite'
import type { Deploy } from '../deploy/deploy.js'
import { loadSettings } from '../deploy/load-settings.js'
import type { Logger } from '../deploy/logger.js'
import { hasHash } from '../folders/hashed-names.js'
import { filesBelow } from '../runtime/files-below.js'
import { orUndefined } from '../runtime/or-undefined.js'
import type { Options } from '../settings/options.js'
import type { Settings } from '../settings/settings.js'
import { whyNotProduction } from '../vite/config.js'
import { type SiteNames, sitePlugin } from './site-plugin.js'

/** The facts about a site that a framework knows before the build. */
export interface SiteBuild {
  mode: string
  watch?: boolean
  /** The folder of the `.env` files, or false for none. */
  envDir: string | false
  /** Prefixes of the variables that the framework puts into the bundle. */
  envPrefix?: string | string[] | undefined
  logger: Logger
}

/** A site whose files are all written. */
export interface FinishedSite {
  /** The files as they are to be in the location. Absolute. */
  dir: string
  /** True in the folder that the framework's own server lets browsers keep for a year. */
  isImmutable: (path: string) => boolean
  /** Whether an immutable file's name has a hash, if no bundle of Vite names the file. By default, its form decides. */
  hasHash?: (path: string) => boolean
  /** The folder on the page's origin: a path with a slash at its end. */
  base: string
  /** Folders inside that are not part of it. Absolute. */
  notOurs?: readonly string[]
  /** True for a file whose path may stand in plain strings, because the application's framework itself knows where the file is. */
  resolvesPath?: (path: string) => boolean
  /** With its version: `astro 7.3.0`. */
  bundler: string
}

/** One build of a site by a framework, from its configuration to its last file. */
export class Site {
  readonly #options: Options
  readonly #names: SiteNames = { emitted: new Set(), fingerprinted: new Set() }
  #deploy: Deploy | undefined
  #logger!: Logger

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * Decides whether the build goes to S3, and starts its deploy.
   *
   * @returns undefined for a build that stays on disk; the log then says why
   * @throws StaticS3Error on settings that are wrong
   */
  async begin({ mode, watch = false, envDir, envPrefix, logger }: SiteBuild): Promise<Settings | undefined> {
    this.stop()
    this.#logger = logger
    // Some frameworks set NODE_ENV later.
    const because = whyNotProduction({ NODE_ENV: 'production', ...process.env })
    const build = { watch, whyNotProduction: because, mode }
    const resolved = await loadSettings({ options: this.#options, build, envDir, envPrefix })
    if (!resolved.on) {
      logger.info(`is off: ${resolved.because}`)
      return undefined
    }
    const { startDeploy } = await import('../deploy/deploy.js')
    this.#deploy = startDeploy(resolved.settings)
    return resolved.settings
  }

  /** For frameworks on Vite, also for a build that stays on disk. Call `begin` before Vite calls the plugin's hooks. */
  get vitePlugin(): Plugin {
    return sitePlugin(() => this.#deploy, this.#names)
  }

  /**
   * Uploads the site. Does nothing for a site that stays on disk.
   *
   * @throws StaticS3Error when anything fails, unless `onError` is `warn`
   */
  async publish(finished: FinishedSite): Promise<void> {
    const { dir, base, notOurs = [], resolvesPath, bundler } = finished
    const deploy = this.#deploy
    if (!deploy) return
    try {
      const fingerprinted = this.#fingerprintedIn(finished)
      // Without the server's files: .static-s3.json would name them.
      const emitted = new Set([...this.#names.emitted].filter((path) => existsSync(join(dir, path))))
      await deploy.publish({
        outputs: [{ dir, emitted, fingerprinted }],
        notOurs,
        base,
        resolvesPath,
        bundler,
        logger: this.#logger,
        terminal: process.stdout,
      })
    } finally {
      this.stop()
    }
  }

  /** Ends the deploy, even if the build failed. */
  stop(): void {
    this.#deploy?.stop()
    this.#deploy = undefined
    this.#names.emitted.clear()
    this.#names.fingerprinted.clear()
  }

  /** Users may tell a bundler to leave the hash out, even in a folder that the framework calls immutable. */
  #fingerprintedIn({ dir, isImmutable, hasHash: isHashed = hasHash }: FinishedSite): Set<string> {
    const { emitted, fingerprinted } = this.#names
    const paths = new Set<string>()
    for (const path of filesBelow(dir)) {
      if (isImmutable(path) && (emitted.has(path) ? fingerprinted.has(path) : isHashed(path))) paths.add(path)
    }
    return paths
  }
}

/**
 * A framework's name with the version that a project has: `astro 7.3.5`.
 *
 * @param root the project's folder
 */
export function withVersion(name: string, root: string): string {
  const { resolve } = createRequire(join(root, 'package.json'))
  const read = () => JSON.parse(readFileSync(resolve(`${name}/package.json`), 'utf8')).version
  const version = orUndefined(read)
  return version === undefined ? name : `${name} ${version}`
}

import { dirname, resolve } from 'node:path'
import type { Plugin, ResolvedConfig, UserConfig } from 'vite'
import type { Asked } from './deploy/early-survey.js'
import type { Output, Snapshot } from './files/collect.js'
import { StaticS3Error } from './runtime/error.js'
import type { Options } from './settings/options.js'
import type { Settings } from './settings/settings.js'
import { notProduction } from './settings/switch.js'
import { encodePath } from './urls/public-url.js'
import { isWebAppManifest, staysOnPageOrigin } from './urls/same-origin.js'
import { workerBlobUrl } from './urls/worker-url.js'
import { type BuildEnvironment, environmentOf } from './vite/environment.js'
import { type Fingerprints, watchFingerprints } from './vite/fingerprints.js'
import { frameworkOwning } from './vite/frameworks.js'
import { findSprites } from './vite/sprites.js'
import { watchWorkerBuilds } from './vite/workers.js'

export type { Options, Rule } from './settings/options.js'

/** Vite's `Plugin`, of whichever version: its own type would tie the configuration to the Vite that this package finds. */
export interface VitePlugin {
  name: string
}

/** One build of one environment, from its start to its last output. */
interface Run {
  identity: object
  before: Map<string, Snapshot>
  /** Outputs that began, and outputs that were written: a build that failed leaves the two unequal. */
  begun: number
  outputs: Output[]
  /** The bucket, asked while the bundler is at work; undefined where nothing is to be uploaded. */
  asked: Asked | undefined
}

/**
 * Puts the files of a production build into S3 and makes the build's URLs point there, where the environment says so (`USE_S3`).
 *
 * @param options beat the environment; all can be left out
 * @see https://vite.dev/guide/build.html#advanced-base-options
 */
export function staticS3(options: Options = {}): VitePlugin {
  let settings: Settings | undefined
  let offBecause: string | undefined
  let config: ResolvedConfig
  const runs = new Map<string, Run>()
  const fingerprints = new Map<string, Fingerprints>()
  const ambiguous = new Set<string>()
  const namedDotfiles = new Set<string>()
  let home: (path: string) => string | undefined = () => undefined
  // Loaded where the plugin is on: elsewhere it costs next to nothing.
  let beforeBuild: typeof import('./deploy/before-build.js') | undefined
  const workers = watchWorkerBuilds()
  const sprites = findSprites(() => ({
    publicDir: config.publicDir,
    assetSources: (path) => [...fingerprints.values()].flatMap(({ sourcesOf }) => sourcesOf(path)),
  }))

  const runOf = ({ name, identity }: BuildEnvironment): Run | undefined => {
    const run = runs.get(name)
    if (run && run.identity !== identity) throw twoAtOnce()
    return run
  }

  const renderBuiltUrl: RenderBuiltUrl = (file, { type, hostType, ssr }) => {
    if (!settings?.rewrite) return undefined
    // In `srcset` and in a style attribute, Vite hands public files in with a slash.
    const path = file.replace(/^\//, '')
    const bare = path.replace(/[?#].*$/, '')
    if (type === 'asset' && isNamedDotfile(bare)) namedDotfiles.add(bare)
    if (type === 'public' ? staysOnPageOrigin(bare) : hostType === 'html' && isWebAppManifest(bare)) return undefined
    // A stylesheet may draw a sprite from any origin.
    if (hostType !== 'css' && sprites.isSprite(bare, type)) {
      return hostType === 'js' && !ssr ? relativeToPage(path, config.base) : undefined
    }
    // What isn't uploaded is on the page's origin. A stylesheet is in the bucket, and can't name that.
    if (hostType !== 'css' && home(bare) !== undefined) return undefined
    const { publicUrl, rewrite } = settings
    if (hostType === 'js' && !ssr && workers.isWorkerEntry(path)) {
      return { runtime: workerBlobUrl(JSON.stringify(publicUrl + encodePath(path))) }
    }
    if (rewrite === 'base') return undefined
    if (path.includes('+')) ambiguous.add(path)
    // Not percent-encoded: Vite does that to the answer, and hands the query of `logo.svg?x` in as part of the path.
    return publicUrl + path
  }

  /** One that a build's page asks for, and not a file that a plugin emits under a name of its own. */
  const isNamedDotfile = (path: string): boolean =>
    home(path) === 'dotfile' &&
    (/\.([cm]?js|css)$/.test(path) || [...fingerprints.values()].some(({ mayHaveMade }) => mayHaveMade(path)))

  const stayOnDisk = (resolved: ResolvedConfig) => {
    const why = notProduction('NODE_ENV is development')
    if (settings?.rewrite === 'base')
      throw new StaticS3Error(`static-s3: base is set already, and ${why}; unset USE_S3`)
    settings = undefined
    offBecause = why
    Object.assign(resolved.define ?? {}, defineStaticUrl(resolved.base).define)
  }

  const plugin: Plugin = {
    name: 'static-s3',
    enforce: 'post',

    async config(userConfig, { command, mode }) {
      // One object may serve several builds: what the one before decided doesn't count.
      settings = undefined
      offBecause = undefined
      ambiguous.clear()
      namedDotfiles.clear()
      sprites.clear()
      // A dev server has nothing to decide, and is told of no problem.
      if (command === 'serve') return defineStaticUrl(ordinaryBase(userConfig))
      const { prepare } = await import('./deploy/load-settings.js')
      const resolved = await prepare({
        options,
        build: { watch: Boolean(userConfig.build?.watch), whyNotProduction: whyNotProduction(), mode },
        envDir: envDirOf(userConfig),
        envPrefix: userConfig.envPrefix,
      })
      if (!resolved.on) {
        offBecause = resolved.because
        return defineStaticUrl(ordinaryBase(userConfig))
      }
      settings = resolved.settings
      beforeBuild = await import('./deploy/before-build.js')
      home = beforeBuild.whyLeftOut(settings, [{ namedDotfiles }])
      const { rewrite, publicUrl } = settings
      return {
        ...defineStaticUrl(publicUrl),
        worker: { plugins: workers.plugins },
        ...(rewrite === 'base' ? { base: publicUrl } : {}),
        ...(rewrite && !userConfig.experimental?.renderBuiltUrl ? { experimental: { renderBuiltUrl } } : {}),
      }
    },

    configResolved(resolved) {
      config = resolved
      // Others write in hooks that are as late as ours (vite-plugin-pwa does): the last one in the list runs last.
      const plugins = resolved.plugins as Plugin[]
      plugins.push(...plugins.splice(plugins.indexOf(plugin), 1))
      // NODE_ENV in a `.env` file, which Vite reads after the `config` hooks.
      if (settings && !resolved.isProduction) stayOnDisk(resolved)
      if (settings?.rewrite === 'base' && plugins.some(({ name }) => name === 'vite-plugin-pwa')) {
        settings.warnings.push(
          "vite-plugin-pwa registers its service worker below Vite's base, where browsers refuse it: use rewrite: 'urls'",
        )
      }
      if (!settings?.rewrite) return
      const { publicUrl, rewrite, warnings } = settings
      const owner = frameworkOwning(resolved, renderBuiltUrl, publicUrl)
      if (owner) settings = { ...settings, rewrite: false, warnings: [...warnings, ...owner.warnings] }
      else if (rewrite === 'base' && resolved.base !== publicUrl) {
        warnings.push(
          `Vite's base is ${resolved.base}, which another plugin has set: URLs point there, not to the bucket`,
        )
      }
    },

    async buildStart() {
      // With several outputs, Vite 8 starts one build after the other.
      const { name, build, identity, serverSide } = environmentOf(this, config)
      const open = runs.get(name)
      if (open?.identity === identity) return
      if (open && !isWritten(open)) throw twoAtOnce()
      open?.asked?.stop()
      // Before anything is waited for: the build may fail meanwhile, and another one begin.
      const asked = settings && build.write && !serverSide ? beforeBuild?.ask(settings) : undefined
      // Loaded while the bundler is at work.
      if (asked) void import('./deploy/after-build.js')
      const run: Run = { identity, before: new Map(), begun: 0, outputs: [], asked }
      runs.set(name, run)
      if (settings && beforeBuild) run.before = await beforeBuild.takeSnapshots(outputFolders(config.root, build))
    },

    buildEnd(error) {
      const { name, identity } = environmentOf(this, config)
      const run = runs.get(name)
      if (!error || run?.identity !== identity) return
      run.asked?.stop()
      runs.delete(name)
    },

    // The public URL gets into chunks after they were hashed (preload lists): without this, a new domain would come under an old name.
    augmentChunkHash() {
      return settings?.rewrite ? settings.publicUrl : undefined
    },

    outputOptions(options) {
      if (!settings) return undefined
      const watching = watchFingerprints()
      fingerprints.set(environmentOf(this, config).name, watching)
      return watching.outputOptions(options)
    },

    renderStart() {
      const run = runOf(environmentOf(this, config))
      if (run) run.begun++
    },

    writeBundle: {
      order: 'post',
      // Else it would run beside another plugin's that fails.
      sequential: true,
      handler(outputOptions, bundle) {
        const environment = environmentOf(this, config)
        const named = fingerprints.get(environment.name)?.of(bundle) ?? []
        const fingerprinted = new Set([...named, ...workers.fingerprinted])
        for (const [path, { type }] of Object.entries(bundle)) {
          if ((type === 'chunk' || fingerprinted.has(path)) && home(path) === 'dotfile') namedDotfiles.add(path)
        }
        runOf(environment)?.outputs.push({
          dir: resolve(config.root, outputOptions.dir ?? dirname(outputOptions.file as string)),
          emitted: new Set(Object.keys(bundle)),
          fingerprinted,
          namedDotfiles,
        })
      },
    },

    // Also called after a failed build, twice at times, and without an error to see: what was begun and what was written tell.
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        const environment = environmentOf(this, config)
        const run = runs.get(environment.name)
        // Of another build, when this one failed because of it.
        if (run?.identity !== environment.identity) return
        runs.delete(environment.name)
        if (!isWritten(run)) run.asked?.stop()
        if (!isWritten(run) || environment.serverSide) return
        if (settings && run.asked) {
          // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: to be encoded, which Vite doesn't.
          for (const path of ambiguous) {
            settings.warnings.push(`${path}: S3 reads the + in its URL as a space; rename it`)
          }
          ambiguous.clear()
          const { plugins, base } = config
          const [{ publish, terminalOf, urlInBucket, colors }, { precacheFrom }] = await Promise.all([
            import('./deploy/after-build.js'),
            import('./vite/pwa.js'),
          ])
          const inBucket = urlInBucket(settings, run.outputs)
          const isSprite = (path: string) => sprites.isSprite(path, 'public') || sprites.isSprite(path, 'asset')
          const publicUrl = (path: string) => (isSprite(path) ? undefined : inBucket(path))
          const site = { plugins, base, publicUrl, parse: (code: string) => this.parse(code) }
          await publish({
            settings,
            asked: run.asked,
            outputs: run.outputs,
            before: run.before,
            notOurs: serverFolders(config),
            base,
            bundler: bundlerOf(this.meta),
            prepareFiles: async (files) => {
              if (settings?.rewrite) await precacheFrom({ ...site, files })
            },
            logger: {
              info: (message) => config.logger.info(`${colors.cyan('static-s3')} ${message}`),
              warn: (message) => config.logger.warn(colors.yellow(`static-s3: ${message}`)),
            },
            terminal: terminalOf(process.stdout, (config.logLevel ?? 'info') !== 'info'),
          })
        } else if (offBecause) {
          config.logger.info(`static-s3 is off: ${offBecause}`)
          // A watch build says it once.
          offBecause = undefined
        }
      },
    },
  }
  return plugin
}

/** Whether all that began was written. A run that stays like this wasn't closed, because another plugin failed in `closeBundle`. */
function isWritten({ begun, outputs }: Run): boolean {
  return outputs.length > 0 && outputs.length >= begun
}

function twoAtOnce(): StaticS3Error {
  return new StaticS3Error('static-s3: one plugin object serves two builds at once; call staticS3() for each')
}

/** Vite tells plugins its version from 7 on. */
function bundlerOf({ viteVersion }: { viteVersion?: string }): string {
  return viteVersion === undefined ? 'vite' : `vite ${viteVersion}`
}

type RenderBuiltUrl = NonNullable<NonNullable<UserConfig['experimental']>['renderBuiltUrl']>

/** With a relative base, Vite makes a script's URLs relative to the script, which the bucket has. Undefined with any other base. */
function relativeToPage(path: string, base: string): { runtime: string } | undefined {
  if (base !== '' && base !== './') return undefined
  return {
    runtime: `new URL(${JSON.stringify(encodeURI(path))}, self.document ? document.baseURI : self.location).href`,
  }
}

function defineStaticUrl(url: string) {
  return { define: { 'import.meta.env.STATIC_URL': JSON.stringify(url) } }
}

function ordinaryBase({ base = '/' }: UserConfig): string {
  return base.endsWith('/') || base === '' ? base : `${base}/`
}

function envDirOf({ root = '.', envDir }: UserConfig): string | false {
  if (envDir === false) return false
  return resolve(root, envDir ?? '.')
}

/** As far as is known before `.env` files count. */
function whyNotProduction(): string | undefined {
  const { NODE_ENV } = process.env
  return NODE_ENV === 'production' ? undefined : `NODE_ENV is ${NODE_ENV}`
}

function outputFolders(root: string, build: ResolvedConfig['build']): string[] {
  const output = build.rollupOptions.output ?? []
  const dirs = (Array.isArray(output) ? output : [output]).flatMap(({ dir }) => dir ?? [])
  return [build.outDir, ...dirs].map((dir) => resolve(root, dir))
}

/** Where other environments of the same configuration put code that only a server runs. */
function serverFolders({ root, environments = {} }: ResolvedConfig): string[] {
  return Object.values(environments)
    .filter(({ consumer }) => consumer === 'server')
    .map(({ build }) => resolve(root, build.outDir))
}

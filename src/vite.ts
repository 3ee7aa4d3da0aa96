import { dirname, resolve } from 'node:path'
import pc from 'picocolors'
import type { Plugin, ResolvedConfig, Rollup, UserConfig } from 'vite'
import { staysHome } from './core/classify.js'
import { type Output, type Snapshot, takeSnapshots } from './core/collect.js'
import type { Environment } from './core/environment.js'
import type { Options } from './core/options.js'
import { prepare } from './core/prepare.js'
import { terminalOf } from './core/progress.js'
import { encodePath } from './core/public-url.js'
import { publish } from './core/publish.js'
import { staysOnPageOrigin } from './core/same-origin.js'
import type { Settings } from './core/settings.js'
import { workerBlobUrl } from './core/worker-body.js'
import { fingerprintedFiles } from './vite/fingerprints.js'
import { frameworkOwning } from './vite/frameworks.js'
import { precacheFrom } from './vite/pwa.js'
import { watchWorkerBuilds } from './vite/workers.js'

export type { Options, Rule } from './core/options.js'

/** One build of one environment, from its start to its last output. */
interface Run {
  before: Map<string, Snapshot>
  /** Outputs that began, and outputs that were written: a build that failed leaves the two unequal. */
  begun: number
  outputs: Output[]
}

/**
 * Puts the files of a production build into S3 and makes the build's URLs point there, where the environment says so (`USE_S3`).
 *
 * @param options beat the environment; all can be left out
 * @see https://vite.dev/guide/build.html#advanced-base-options
 */
export function staticS3(options: Options = {}): Plugin {
  let settings: Settings | undefined
  let offBecause: string | undefined
  let config: ResolvedConfig
  let rewrites = false
  const runs = new Map<string, Run>()
  const workerFingerprints = new Set<string>()
  const ambiguous = new Set<string>()
  const workers = watchWorkerBuilds((outputOptions, bundle) => {
    for (const path of fingerprintedFiles(bundle, outputOptions)) workerFingerprints.add(path)
  })

  const renderBuiltUrl: RenderBuiltUrl = (path, { type, hostType, ssr }) => {
    if (!rewrites || ((type === 'public' || hostType === 'html') && staysOnPageOrigin(path))) return undefined
    const { publicUrl, rewrite } = settings as Settings
    if (hostType === 'js' && !ssr && workers.isWorkerEntry(path)) {
      return { runtime: workerBlobUrl(JSON.stringify(publicUrl + encodePath(path))) }
    }
    if (rewrite !== 'urls') return undefined
    if (path.includes('+')) ambiguous.add(path)
    // Not percent-encoded: Vite does that to the answer, and hands the query of `logo.svg?x` in as part of the path.
    return publicUrl + path
  }

  const plugin: Plugin = {
    name: 'static-s3',
    enforce: 'post',

    async config(userConfig, { command, mode }) {
      // A dev server has nothing to decide, and is told of no problem.
      if (command === 'serve') return defineStaticUrl(ordinaryBase(userConfig))
      const resolved = await prepare({
        options,
        build: { watch: Boolean(userConfig.build?.watch), production: isProduction, mode },
        envDir: envDirOf(userConfig),
      })
      if (!resolved.on) {
        offBecause = resolved.because
        return defineStaticUrl(ordinaryBase(userConfig))
      }
      settings = resolved.settings
      const worker = { worker: { plugins: workers.plugins } }
      if (settings.rewrite === false) return { ...worker, ...defineStaticUrl(settings.publicUrl) }
      rewrites = userConfig.experimental?.renderBuiltUrl === undefined
      return {
        ...worker,
        ...defineStaticUrl(settings.publicUrl),
        ...(settings.rewrite === 'base' ? { base: settings.publicUrl } : {}),
        ...(rewrites ? { experimental: { renderBuiltUrl } } : {}),
      }
    },

    configResolved(resolved) {
      config = resolved
      // Others write in hooks that are as late as ours (vite-plugin-pwa does): the last one in the list runs last.
      const plugins = resolved.plugins as Plugin[]
      plugins.push(...plugins.splice(plugins.indexOf(plugin), 1))
      if (!settings || settings.rewrite === false) return
      const owner = frameworkOwning(resolved, renderBuiltUrl)
      rewrites &&= owner === undefined
      if (owner && settings.rewrite === 'urls') {
        settings.warnings.push(
          `URLs are left to ${owner.name}, files are uploaded: ${owner.remedy(settings.publicUrl)}`,
        )
      }
    },

    async buildStart() {
      // With several outputs, Vite 8 starts one build after the other.
      const { name } = environmentOf(this)
      if (runs.has(name)) return
      const before = await takeSnapshots(settings ? outputFolders(config) : [])
      runs.set(name, { before, begun: 0, outputs: [] })
    },

    // The public URL gets into chunks after they were hashed (preload lists): without this, a new domain would come under an old name.
    augmentChunkHash() {
      return rewrites ? settings?.publicUrl : undefined
    },

    renderStart() {
      const run = runs.get(environmentOf(this).name)
      if (run) run.begun++
    },

    writeBundle: {
      order: 'post',
      // Else it would run beside another plugin's that fails.
      sequential: true,
      handler(outputOptions, bundle) {
        runs.get(environmentOf(this).name)?.outputs.push({
          dir: resolve(config.root, outputOptions.dir ?? dirname(outputOptions.file as string)),
          emitted: new Set(Object.keys(bundle)),
          fingerprinted: new Set([...fingerprintedFiles(bundle, outputOptions), ...workerFingerprints]),
        })
      },
    },

    // Also called after a failed build, twice at times, and without an error to see: what was begun and what was written tell.
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        const environment = environmentOf(this)
        const run = runs.get(environment.name)
        runs.delete(environment.name)
        if (!run || run.outputs.length === 0 || run.outputs.length < run.begun || environment.serverSide) return
        if (settings) {
          // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: to be encoded, which Vite doesn't.
          for (const path of ambiguous)
            settings.warnings.push(`${path}: S3 reads the + in its URL as a space; rename it`)
          if (rewrites)
            for (const output of run.outputs) await pointPrecache(output, settings, (code) => this.parse(code))
          await publish({
            settings,
            outputs: run.outputs,
            before: run.before,
            notOurs: serverFolders(config),
            logger: {
              info: (message) => config.logger.info(`${pc.cyan('static-s3')} ${message}`),
              warn: (message) => config.logger.warn(pc.yellow(`static-s3: ${message}`)),
            },
            terminal: terminalOf(process.stdout, config.logLevel === 'silent'),
          })
        } else if (offBecause && !config.build.watch) {
          config.logger.info(`static-s3 is off: ${offBecause}`)
        }
      },
    },
  }
  return plugin

  /** A page that is cached for offline use needs its assets from where they are. */
  async function pointPrecache(output: Output, settings: Settings, parse: (code: string) => unknown): Promise<void> {
    const home = staysHome(settings)
    await precacheFrom({
      ...output,
      plugins: config.plugins,
      base: config.base,
      publicUrl: (path) => (home(path) === undefined ? settings.publicUrl + encodePath(path) : undefined),
      parse,
    })
  }

  /** Vite 6 and later tell by the hook's context, Vite 5 by the configuration. */
  function environmentOf(context: Rollup.PluginContext): { name: string; serverSide: boolean } {
    const environment = (context as { environment?: { name: string; config: { consumer: string } } }).environment
    if (environment) return { name: environment.name, serverSide: environment.config.consumer === 'server' }
    return { name: 'client', serverSide: Boolean(config.build.ssr) }
  }
}

type RenderBuiltUrl = NonNullable<NonNullable<UserConfig['experimental']>['renderBuiltUrl']>

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

/** As Vite decides; NODE_ENV in a `.env` file counts, and is applied only after the `config` hooks. */
function isProduction({ files }: Environment): boolean {
  return process.env.NODE_ENV === 'production' && files.NODE_ENV !== 'development'
}

function outputFolders({ root, build }: ResolvedConfig): string[] {
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

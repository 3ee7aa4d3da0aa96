import { readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import pc from 'picocolors'
import type { Deploy } from '../deploy/deploy.js'
import { loadSettings } from '../deploy/load-settings.js'
import type { Logger } from '../deploy/logger.js'
import type { Output } from '../files/collect.js'
import { StaticS3Error } from '../runtime/error.js'
import { filesBelow } from '../runtime/files-below.js'
import type { Options } from '../settings/options.js'
import { staysOnPageOrigin } from '../urls/same-origin.js'

/** A locale whose files are all written. */
export interface FinishedLocale {
  /** In the site, with a slash at its end. */
  folder: string
  output: Output
  baseUrl: string
  publicUrl: string
}

/** The locales of a site that this process builds: one deploy. */
export class DocusaurusSite {
  readonly #root: string
  /** Undefined if the build stays on disk. */
  readonly deploy: Deploy | undefined
  readonly #begun = new Set<string>()
  readonly #finished = new Map<string, FinishedLocale>()
  #version = ''
  #isSettled = false

  constructor(root: string, deploy: Deploy | undefined) {
    this.#root = root
    this.deploy = deploy
    if (!deploy) return
    process.once('beforeExit', () => this.#publish(deploy))
    process.once('exit', (code) => this.#checkEnd(code))
  }

  begin(locale: string): void {
    this.#begun.add(locale)
  }

  finish(locale: string, finished: FinishedLocale, version: string): void {
    this.#finished.set(locale, finished)
    this.#version = version
  }

  /**
   * Publishes all locales. Docusaurus has no hook for this: other plugins write files in the same last hook, and after that hook it fails on
   * broken links, and builds the next locale. Its process exits on every failure.
   */
  async #publish(deploy: Deploy): Promise<void> {
    if (this.#finished.size === 0) return deploy.stop()
    const listeners = takeSignals()
    try {
      const missing = [...this.#begun].filter((locale) => !this.#finished.has(locale))
      if (missing.length > 0)
        throw new StaticS3Error(`static-s3: the build of ${missing.join(', ')} did not end, so nothing is uploaded.`)
      const locales = [...this.#finished.values()]
      if (deploy.settings.rewrite) for (const locale of locales) await this.#completePages(deploy, locale)
      await deploy.publish({
        outputs: [siteOutput(this.#root, locales)],
        notOurs: [],
        base: '/',
        // `useBaseUrl` takes such paths.
        resolvesPath: () => true,
        bundler: `docusaurus ${this.#version}`,
        logger,
        terminal: process.stdout,
      })
    } catch (error) {
      deploy.stop()
      process.stderr.write(`${pc.red('[ERROR]')} ${(error as Error).message}\n`)
      process.exitCode = 1
    } finally {
      this.#isSettled = true
      listeners.giveBack()
    }
  }

  /** Points a locale's pages to the bucket: Docusaurus puts its own path before scripts and stylesheets. */
  async #completePages(deploy: Deploy, { folder, output, baseUrl, publicUrl }: FinishedLocale): Promise<void> {
    const { rewriteFile } = await import('../deploy/deploy.js')
    const { completePage } = await import('../vite/pages.js')
    const urlInBucket = deploy.urlInBucket([output])
    const emittedUrl = (path: string) =>
      output.emitted.has(path) && !staysOnPageOrigin(path) ? urlInBucket(folder + path) : undefined
    const others = [...this.#finished.values()].map(({ output }) => output.dir).filter((dir) => dir !== output.dir)
    for (const page of filesBelow(output.dir)) {
      const file = join(output.dir, page)
      if (!/\.html?$/i.test(page) || others.some((dir) => isIn(dir, file) && isIn(output.dir, dir))) continue
      const html = await readFile(file, 'utf8')
      const complete = completePage(html, { page, base: baseUrl, publicUrl, emittedUrl })
      if (complete !== html) await rewriteFile(file, complete)
    }
  }

  /** A process that ends before the upload fails. */
  #checkEnd(code: number): void {
    if (this.#isSettled || this.#finished.size === 0 || code !== 0) return
    process.stderr.write(`${pc.red('[ERROR]')} static-s3: the process ended before the upload did.\n`)
    process.exitCode = 1
  }
}

const sitesKey = Symbol.for('static-s3 docusaurus')
const shared = globalThis as { [sitesKey]?: Map<string, Promise<DocusaurusSite>> }
// Docusaurus loads modules anew for each locale.
const sites = shared[sitesKey] ?? new Map<string, Promise<DocusaurusSite>>()
shared[sitesKey] = sites

/**
 * The site in an output folder. The first call decides whether the build goes to S3, and starts its deploy.
 *
 * @throws StaticS3Error on settings that are wrong
 */
export function siteIn(root: string, siteDir: string, options: Options): Promise<DocusaurusSite> {
  const site = sites.get(root) ?? newSite(root, siteDir, options)
  sites.set(root, site)
  return site
}

async function newSite(root: string, siteDir: string, options: Options): Promise<DocusaurusSite> {
  const mode = process.env.NODE_ENV ?? 'development'
  // `docusaurus start` and other commands.
  if (mode !== 'production') return new DocusaurusSite(root, undefined)
  const build = { watch: false, whyNotProduction: undefined, mode }
  const resolved = await loadSettings({ options, build, envDir: siteDir })
  if (!resolved.on) {
    logger.info(`is off: ${resolved.because}`)
    return new DocusaurusSite(root, undefined)
  }
  if (process.argv[2] === 'deploy') {
    throw new StaticS3Error(
      'static-s3: docusaurus deploy publishes pages before their files are in the bucket: run docusaurus build, then docusaurus deploy --skip-build',
    )
  }
  const { startDeploy } = await import('../deploy/deploy.js')
  const deploy = startDeploy(resolved.settings)
  await deploy.snapshot([root])
  return new DocusaurusSite(root, deploy)
}

/** Docusaurus' log is no part of its plugin API. */
const logger: Logger = {
  info: (message) => process.stdout.write(`${pc.cyan('[INFO]')} static-s3 ${message}\n`),
  warn: (message) => process.stderr.write(`${pc.yellow('[WARNING]')} static-s3: ${message}\n`),
}

function siteOutput(dir: string, locales: readonly FinishedLocale[]): Output {
  const paths = (pick: (output: Output) => Iterable<string>) =>
    new Set(locales.flatMap(({ folder, output }) => [...pick(output)].map((path) => folder + path)))
  return {
    dir,
    emitted: paths(({ emitted }) => emitted),
    fingerprinted: paths(({ fingerprinted }) => fingerprinted),
    namedDotfiles: paths(({ namedDotfiles = [] }) => namedDotfiles),
  }
}

function isIn(dir: string, path: string): boolean {
  return path.startsWith(dir + sep)
}

/** Docusaurus ends its process on a signal. A deploy needs a moment to give up its lock. */
function takeSignals() {
  const signals = ['SIGINT', 'SIGTERM'] as const
  const taken = signals.map((signal) => [signal, process.listeners(signal)] as const)
  for (const signal of signals) process.removeAllListeners(signal)
  return {
    giveBack() {
      for (const [signal, listeners] of taken) for (const listener of listeners) process.on(signal, listener)
    },
  }
}

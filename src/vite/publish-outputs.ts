import { resolve } from 'node:path'
import type { ResolvedConfig } from 'vite'
import { type Deploy, matcher } from '../deploy/deploy.js'
import type { Output } from '../files/collect.js'
import { filesBelow } from '../runtime/files-below.js'
import { loggerOf } from './config.js'
import { isStorybook, storybookIsWritten, storyIndex } from './frameworks/storybook.js'
import { precacheFrom } from './pwa.js'
import type { BuiltUrls } from './urls.js'

/** The part of a hook's `this` that is used here. */
export interface PublishContext {
  meta: { viteVersion?: string }
  parse(code: string): unknown
}

export interface WrittenBuild {
  deploy: Deploy
  outputs: readonly Output[]
  config: ResolvedConfig
  urls: BuiltUrls
  /** Matches files that a framework has named by their content. */
  alsoFingerprinted: RegExp | undefined
}

/** Publishes a build of Vite's. The last hook loads this file, and only if there is something to publish. */
export async function publishOutputs(
  { deploy, outputs: written, config, urls, alsoFingerprinted }: WrittenBuild,
  context: PublishContext,
): Promise<void> {
  const outputs = alsoFingerprinted ? written.map((output) => withNames(output, alsoFingerprinted)) : written
  deploy.settings.warnings.push(...urls.takeWarnings())
  const { plugins, base } = config
  if (isStorybook(config)) {
    urls.resolvedPaths.add(storyIndex)
    for (const { dir } of outputs) await storybookIsWritten(dir)
  }
  const urlInBucket = deploy.urlInBucket(outputs)
  const publicUrl = (path: string) => (urls.isSprite(path) ? undefined : urlInBucket(path))
  const parse = (code: string) => context.parse(code)
  await deploy.publish({
    outputs,
    notOurs: serverFolders(config),
    base,
    resolvesPath: (path) => urls.resolvedPaths.has(path),
    bundler: bundlerOf(context),
    prepareFiles: async (files) => {
      urls.checkCopied(files.files, matcher(deploy.settings.allowMissing))
      if (deploy.settings.rewrite) await precacheFrom({ ...files, plugins, base, publicUrl, parse })
    },
    logger: loggerOf(config),
    terminal: (config.logLevel ?? 'info') === 'info' ? process.stdout : undefined,
  })
}

function withNames(output: Output, pattern: RegExp): Output {
  const named = filesBelow(output.dir).filter((path) => pattern.test(path))
  return { ...output, fingerprinted: new Set([...output.fingerprinted, ...named]) }
}

/** Vite tells plugins its version from 7 on. */
function bundlerOf({ meta: { viteVersion } }: PublishContext): string {
  return viteVersion === undefined ? 'vite' : `vite ${viteVersion}`
}

/** The folders of other environments in this configuration, whose code only a server runs. */
function serverFolders({ root, environments = {} }: ResolvedConfig): string[] {
  return Object.values(environments)
    .filter(({ consumer }) => consumer === 'server')
    .map(({ build }) => resolve(root, build.outDir))
}

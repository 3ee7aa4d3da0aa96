import { resolve } from 'node:path'
import type { Output } from '../files/collect.js'
import type { Settings } from '../settings/settings.js'
import { type Compilation, type Compiler, isOneOfSeveral } from './compiler.js'
import { type Asset, isFingerprinted, pathOf } from './fingerprints.js'

/** The output folder of a compilation that is written, and what the bundler knows of the files in it. */
export function outputOf(compiler: Compiler, compilation: Compilation): Output {
  const assets = compilation.getAssets()
  const chunkFiles = filesOfChunks(compilation)
  const isOfChunk = (name: string) => chunkFiles.all.has(name)
  const fingerprinted = pathsOf(assets.filter((asset) => isFingerprinted(asset, isOfChunk, compilation.hash)))
  return {
    dir: resolve(compilation.getPath(compiler.outputPath, {})),
    emitted: pathsOf(assets),
    fingerprinted,
    namedDotfiles: new Set([...fingerprinted, ...chunkFiles.scriptsAndStyles].filter(hasDot)),
    emittedOnly: isOneOfSeveral(compiler),
  }
}

function pathsOf(assets: readonly Pick<Asset, 'name'>[]): Set<string> {
  return new Set(assets.map((asset) => pathOf(asset)))
}

function filesOfChunks({ chunks }: Compilation) {
  const scriptsAndStyles = [...chunks].flatMap(({ files }) => [...files])
  const others = [...chunks].flatMap(({ auxiliaryFiles }) => [...auxiliaryFiles])
  return {
    all: new Set([...scriptsAndStyles, ...others]),
    scriptsAndStyles: scriptsAndStyles.map((name) => pathOf({ name })),
  }
}

function hasDot(path: string): boolean {
  return /(^|\/)\./.test(path)
}

/** What the user should know of an output's files, one sentence each. */
export function warningsAbout(settings: Settings, output: Output): string[] {
  const withPlus = [...output.emitted].filter((path) => path.includes('+'))
  return [
    ...(output.emittedOnly ? claim(settings, output) : []),
    ...withPlus.map((path) => `${path}: S3 reads the + in its URL as a space; rename it`),
  ]
}

/** The output folder that each object comes from, in this process. */
const writers = new Map<string, string>()

/** Warns of objects that another configuration's output folder writes too: the bucket can have only one of the two. */
function claim({ bucket, location }: Settings, { dir, emitted, fingerprinted }: Output): string[] {
  return [...emitted].flatMap((path) => {
    // The same name then means the same bytes.
    if (fingerprinted.has(path)) return []
    const object = `s3://${[bucket, location, path].filter(Boolean).join('/')}`
    const other = writers.get(object) ?? dir
    writers.set(object, dir)
    return other === dir ? [] : [`${object} comes from ${other} and from ${dir}: give the two another location`]
  })
}

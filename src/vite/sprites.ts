import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSvgSprite } from '../urls/svg-sprite.js'

/** The build's files by what their URLs are made of: a path below the public folder, or in the output. */
export interface SpriteSources {
  /** Undefined where there is none. */
  publicDir: string | undefined
  /** What may have become the file of this name. */
  assetSources: (path: string) => (string | Uint8Array)[]
}

/** Tells the SVG sprites of a build, whose URLs have to be on the page's own origin. Each file is read once, and only `.svg`. */
export function findSprites(sources: () => SpriteSources) {
  const known = new Map<string, boolean>()
  return {
    isSprite(path: string, type: 'asset' | 'public'): boolean {
      if (!/\.svg$/i.test(path)) return false
      const key = `${type} ${path}`
      const sprite =
        known.get(key) ?? read(path, type, sources()).some((svg) => isSvgSprite(Buffer.from(svg).toString()))
      known.set(key, sprite)
      return sprite
    },
    clear: () => known.clear(),
  }
}

function read(path: string, type: 'asset' | 'public', { publicDir, assetSources }: SpriteSources) {
  if (type === 'asset') return assetSources(path)
  try {
    return publicDir ? [readFileSync(join(publicDir, path))] : []
  } catch {
    return []
  }
}

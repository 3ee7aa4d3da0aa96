import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSvgSprite } from '../urls/svg-sprite.js'

/** Where to find an SVG file's content by the path in its URL. */
export interface SpriteSources {
  /** Undefined if there is no public folder. */
  publicDir: string | undefined
  /** The contents of the assets that may have got this name. */
  assetSources: (path: string) => (string | Uint8Array)[]
}

/** Recognizes SVG sprites, whose URLs have to be on the page's own origin. Reads each file once, and only `.svg` files. */
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

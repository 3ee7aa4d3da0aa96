import { resolve } from 'node:path'
import type { ResolvedConfig, UserConfig } from 'vite'

/** The URL of the built files, for application code. */
export function defineStaticUrl(url: string): { define: Record<string, string> } {
  return { define: { 'import.meta.env.STATIC_URL': JSON.stringify(url) } }
}

/** Vite's `base` as Vite resolves it. */
export function ordinaryBase({ base = '/' }: UserConfig): string {
  return base.endsWith('/') || base === '' ? base : `${base}/`
}

/** The folder of the `.env` files, or false for none. */
export function envDirOf({ root = '.', envDir }: UserConfig): string | false {
  if (envDir === false) return false
  return resolve(root, envDir ?? '.')
}

/** Undefined for a production build, as far as can be known before Vite reads `.env` files. */
export function whyNotProduction(): string | undefined {
  const { NODE_ENV } = process.env
  return NODE_ENV === 'production' ? undefined : `NODE_ENV is ${NODE_ENV}`
}

export function outputFolders(root: string, build: ResolvedConfig['build']): string[] {
  const output = build.rollupOptions.output ?? []
  const dirs = (Array.isArray(output) ? output : [output]).flatMap(({ dir }) => dir ?? [])
  return [build.outDir, ...dirs].map((dir) => resolve(root, dir))
}

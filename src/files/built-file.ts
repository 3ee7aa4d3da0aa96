import { join } from 'node:path'

/** A file of the build. */
export interface BuiltFile {
  /** Relative to its output folder, with `/` on every system. */
  path: string
  /** The output folder, absolute. */
  dir: string
  /** Named or written by the bundler itself. */
  emitted: boolean
  fingerprinted: boolean
}

/** Where it lies on the disk. */
export function fileOf({ dir, path }: Pick<BuiltFile, 'dir' | 'path'>): string {
  return join(dir, path)
}

/**
 * In the order of their upload: what is referred to comes before what refers to it, so that a page never points at something that
 * isn't there yet.
 */
export const groups = ['fingerprinted', 'asset', 'manifest', 'html'] as const
export type Group = (typeof groups)[number]

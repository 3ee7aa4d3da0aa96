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

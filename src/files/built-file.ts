import { join } from 'node:path'
import type { ContentKind } from './content-kind.js'

/** A file of the build. */
export interface BuiltFile {
  /** Relative to its output folder, with `/` on every system. */
  path: string
  /** The output folder, absolute. */
  dir: string
  /** True if the bundler named or wrote it. */
  emitted: boolean
  fingerprinted: boolean
  /** For a link: the path of the file that it leads to. */
  target?: string
  /** Undefined for most files. */
  kind?: ContentKind
}

/** The file's path on the disk. */
export function fileOf({ dir, path }: Pick<BuiltFile, 'dir' | 'path'>): string {
  return join(dir, path)
}

/**
 * In upload order: a file comes after the files that it refers to, so that a page never points at a missing file. A service worker comes last:
 * before the pages, it would cache the old pages under the new revision.
 */
export const groups = ['fingerprinted', 'asset', 'manifest', 'html', 'service worker'] as const
export type Group = (typeof groups)[number]

import type { SensitiveKind } from './sensitive-file.js'

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
  kind?: SensitiveKind
}

/** The file's path on the disk. */
export function fileOf({ dir, path }: Pick<BuiltFile, 'dir' | 'path'>): string {
  return `${dir}/${path}`
}

/** A file's name without its folders. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The path of the file by which an open page notices a new release. */
export const releaseFile = 'release.json'

/** Why a file is left out: a noun for the summary. */
export type LeftOutReason =
  // The user's choice
  | 'not included'
  | 'excluded'
  | 'existing object'
  | 'vanished'
  // By default
  | SensitiveKind
  | 'dotfile'
  | 'bundle statistics'
  | 'compressed copy'
  // By the output folder
  | 'left over from an earlier build'
  | 'link that is not followed'
  | 'name that is not UTF-8'
  | 'name taken by another output'
  | 'outside of the output folder'

export interface LeftOut {
  path: string
  reason: LeftOutReason
  /** True if the summary names the file, because the user may miss it. */
  byName?: true
}

/**
 * In upload order: a file comes after the files that it refers to, so that a page never points at a missing file. A service worker comes last:
 * before the pages, it would cache the old pages under the new revision. The release file tells open pages that all others are there.
 */
export const groups = ['fingerprinted', 'asset', 'manifest', 'html', 'service worker', 'release file'] as const
export type Group = (typeof groups)[number]

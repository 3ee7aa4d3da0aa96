import { printableLine } from '../runtime/printable.js'
import type { PruneResult } from './prune-result.js'
import { duration, formatBytes, type Label, labelOf, type ReportInput } from './report.js'

/** An invalidation of a CloudFront distribution. */
export interface Invalidated {
  distribution: string
  /** CloudFront's ID of the invalidation; null in a dry run. */
  id: string | null
  paths: string[]
}

/** A deploy's results, for scripts. */
export interface Result {
  status: 'live' | 'staged' | 'unchanged' | 'dry run'
  /** The number of the new release; null if there is none. */
  release: number | null
  bucket: string
  location: string
  publicUrl: string
  uploaded: string[]
  updated: string[]
  /** Files with new headers alone. */
  headers: string[]
  unchanged: string[]
  /** Files that visitors do not see before the activation of the release: only if it is staged. */
  staged?: string[]
  /** The reason of the hold that keeps it from going live, or that a rollback began; not there without one. */
  hold?: string
  leftOut: { path: string; reason: string }[]
  /** Keys, and how many other objects stay that are no file's: only of a sync with `--delete`. */
  deleted?: string[]
  kept?: number
  /** Files that the release before had, and that stay in the bucket until `prune --unreferenced`; not there without one. */
  unreferenced?: string[]
  /** The prune after the release: only with `retention`. */
  pruned?: PruneResult
  /** Only if the settings name a distribution. */
  invalidated?: Invalidated[]
  warnings: string[]
  /** Bytes that were sent. */
  bytes: number
  milliseconds: number
}

/** The results of a deploy that failed. */
export interface Failure {
  status: 'failed'
  /** It includes the state of the site for visitors. */
  error: string
}

export function resultOf(
  input: ReportInput & { pruned?: PruneResult | undefined },
  warnings: readonly string[],
): Result {
  const {
    decisions,
    leftOut,
    dryRun,
    release = null,
    bucket,
    location,
    publicUrl,
    milliseconds,
    deleted,
    others = 0,
    unreferenced = [],
    staged,
    pruned,
    invalidated,
    hold,
  } = input
  const paths: Record<Label, string[]> = { new: [], updated: [], headers: [], unchanged: [], staged: [] }
  let bytes = 0
  for (const decision of decisions) {
    paths[labelOf(decision)].push(decision.file.path)
    const { action, file } = decision
    const isCopy = file.source !== undefined || file.twin?.sha256 === file.sha256
    if (action === 'upload' && !isCopy) bytes += file.size
  }
  const isChanged = release !== null || paths.unchanged.length < decisions.length || (deleted ?? []).length > 0
  return {
    status: dryRun ? 'dry run' : isChanged ? (staged ? 'staged' : 'live') : 'unchanged',
    ...{ release, bucket, location, publicUrl },
    ...{ uploaded: paths.new, updated: paths.updated, headers: paths.headers, unchanged: paths.unchanged },
    ...(staged && { staged: paths.staged, ...(staged === 'asked' ? {} : { hold: staged.reason }) }),
    ...(hold !== undefined && { hold }),
    leftOut: leftOut.map(({ path, reason }) => ({ path, reason })),
    ...(deleted && { deleted: [...deleted], kept: others }),
    ...(unreferenced.length > 0 && { unreferenced: [...unreferenced] }),
    ...(pruned && { pruned }),
    ...(invalidated && { invalidated: [...invalidated] }),
    warnings: [...warnings],
    bytes,
    milliseconds: Math.round(milliseconds),
  }
}

/** JSON: an object for one release, and a list for several. */
export function resultsAsJson(results: readonly (Result | Failure)[]): string {
  const [first, ...others] = results
  return `${JSON.stringify(first && others.length === 0 ? first : results, undefined, 2)}\n`
}

/**
 * A section for the summary of a CI job, in Markdown.
 *
 * @see https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
 */
export function resultAsMarkdown(result: Result | Failure): string {
  if (result.status === 'failed') return ['### static-s3: failed', asCode(result.error), ''].join('\n\n')
  const {
    status,
    release,
    bucket,
    location,
    publicUrl,
    uploaded,
    updated,
    headers,
    unchanged,
    leftOut,
    deleted = [],
    pruned,
    invalidated = [],
  } = result
  const counts = { uploaded, updated, headers, unchanged, 'left out': leftOut, deleted, pruned: pruned?.deleted ?? [] }
  const rows = Object.entries(counts).filter(([, files]) => files.length > 0)
  const outcome = release === null ? status : `release ${release} ${status}`
  const target = `s3://${bucket}${location === '' ? '' : `/${location}`}`
  return [
    `### static-s3: ${outcome}`,
    `\`${target}\` → <${publicUrl}>, ${formatBytes(result.bytes)} sent in ${duration(result.milliseconds)}`,
    ['| | files |', '|---|--:|', ...rows.map(([name, files]) => `| ${name} | ${files.length} |`)].join('\n'),
    ...invalidated.map(({ distribution, paths }) => asCode(`invalidated in ${distribution}: ${paths.join(' ')}`)),
    ...result.warnings.map(asCode),
    '',
  ].join('\n\n')
}

/** As code, because a file's name may contain Markdown. */
function asCode(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${printableLine(line)}`)
    .join('\n')
}

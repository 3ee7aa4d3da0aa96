import pc from 'picocolors'
import type { Decision } from '../release/plan.js'
import type { WhyStaged } from '../release/staging.js'
import { printableLine, printableTime, several } from '../runtime/printable.js'
import type { Invalidated } from './result.js'

export interface ReportInput {
  decisions: readonly Decision[]
  /** The number of the new release, if there is one. */
  release: number | undefined
  /** Why it is staged; undefined if it is live. */
  staged?: WhyStaged | undefined
  /** The reason of the hold that it began. */
  hold?: string | undefined
  /** The reason is a noun. */
  leftOut: readonly { path: string; reason: string; byName?: true }[]
  bucket: string
  location: string
  publicUrl: string
  dryRun: boolean
  /** True if a warning says that visitors can't use the release. */
  isBroken: boolean
  milliseconds: number
  /** The keys of deleted objects; undefined if the deploy deletes nothing on principle. */
  deleted?: readonly string[] | undefined
  /** Objects of the location that are no file's, and stay. */
  others?: number | undefined
  /** Paths of files that the release before had, and that stay in the bucket. */
  unreferenced?: readonly string[] | undefined
  invalidated?: readonly Invalidated[] | undefined
}

type Colors = ReturnType<typeof pc.createColors>

/** A deploy's summary, as lines for the bundler's own log. */
export function report(input: ReportInput, colors: Colors = pc): string {
  const { decisions, leftOut, dryRun } = input
  const counts: Counts = { new: none(), updated: none(), headers: none(), unchanged: none(), staged: none() }
  const changes: string[] = []
  for (const decision of decisions) {
    const { file, action, reason } = decision
    const count = counts[labelOf(decision)]
    count.files++
    count.bytes += file.size
    if (dryRun && action !== 'skip') changes.push(`  ${printableLine(file.path)} ${colors.dim(`(${reason})`)}`)
  }
  const { deleted = [], others = 0, unreferenced = [] } = input
  if (dryRun) changes.push(...deleted.map((key) => `  ${printableLine(key)} ${colors.dim('(gone here)')}`))
  const rows = [
    row(dryRun ? 'to upload' : 'uploaded', counts.new, colors.green),
    row(dryRun ? 'to update' : 'updated', counts.updated, colors.cyan),
    row('headers', counts.headers, colors.cyan),
    row('unchanged', counts.unchanged, colors.dim),
    row('staged', counts.staged, colors.yellow),
    leftOut.length === 0 ? [] : [line('left out', leftOut.length, byReason(leftOut), colors.dim, colors)],
    deleted.length === 0
      ? []
      : [line(dryRun ? 'to delete' : 'deleted', deleted.length, 'gone here', colors.red, colors)],
    ...invalidations(input, colors),
    others === 0 ? [] : [line('kept', others, 'not uploaded by static-s3, or changed since', colors.dim, colors)],
    unreferenced.length === 0 ? [] : [line('kept', unreferenced.length, stillThere(unreferenced), colors.dim, colors)],
  ].flat()
  const target = `s3://${input.bucket}${input.location === '' ? '' : `/${input.location}`}`
  return [`${target} ${colors.dim('→')} ${colors.green(input.publicUrl)}`, ...changes, ...rows, lastLine()].join('\n')

  function lastLine(): string {
    if (dryRun) {
      const held = input.hold === undefined ? '' : ', and deploys would be held'
      const outcome = input.staged ? ', and the release would be staged' : held
      return colors.yellow(`dry run: nothing was written${outcome}`)
    }
    const isChanged = decisions.length > counts.unchanged.files || deleted.length > 0
    const done = `${outcome(isChanged, input)} in ${duration(input.milliseconds)}`
    if (input.staged && input.release !== undefined)
      return [colors.yellow(`● ${done}`), ...nextSteps(input.staged, input.release)].join('\n')
    return input.isBroken ? colors.yellow(`! ${done}, but see the warning above`) : colors.green(`✓ ${done}`)
  }

  function row(label: string, { files, bytes }: Count, color: (text: string) => string): string[] {
    return files === 0 ? [] : [line(label, files, formatBytes(bytes), color, colors)]
  }
}

/** What a deploy did to a file: `headers` means new headers alone. */
export type Label = 'new' | 'updated' | 'headers' | 'unchanged' | 'staged'

export interface Count {
  files: number
  bytes: number
}

type Counts = Record<Label, Count>

const none = (): Count => ({ files: 0, bytes: 0 })

export function labelOf({ action, reason }: Decision): Label {
  if (reason === 'staged') return 'staged'
  if (action === 'skip') return 'unchanged'
  if (action === 'copy') return 'headers'
  return reason === 'new' ? 'new' : 'updated'
}

function outcome(isChanged: boolean, { release, staged }: Pick<ReportInput, 'release' | 'staged'>): string {
  if (release !== undefined) return `release ${release} ${staged ? 'staged' : 'live'}`
  return isChanged ? 'live' : 'nothing to upload'
}

/** Why a release is not live, and the commands that make it so. */
function nextSteps(staged: WhyStaged, release: number): string[] {
  const activate = `static-s3 activate ${release}`
  if (staged === 'asked') return [`  not live yet: ${activate}`]
  const { reason, by, at } = staged
  return [
    `  not live, because deploys are held: ${printableLine(reason)} (${printableLine(by)}, ${printableTime(at)})`,
    `  ${activate} makes it live, and static-s3 resume ends the hold`,
  ]
}

function stillThere(paths: readonly string[]): string {
  const names = printableLine(several(paths))
  return `no longer in the release: ${names}. static-s3 prune --unreferenced deletes ${paths.length === 1 ? 'it' : 'them'}`
}

/** The paths of all distributions, which are the same. */
function invalidations({ dryRun, invalidated = [] }: ReportInput, colors: Colors): string[][] {
  const [first] = invalidated
  if (!first) return []
  const where = invalidated.map(({ distribution }) => distribution).join(', ')
  const text = `${dryRun ? 'to invalidate' : 'invalidated'} in ${where}: ${first.paths.join(' ')}`
  return [[line('CloudFront', first.paths.length, text, colors.cyan, colors)]]
}

function line(label: string, count: number, rest: string, color: (text: string) => string, colors: Colors): string {
  return `  ${color(label.padEnd(10))}${colors.bold(String(count).padStart(6))}  ${colors.dim(rest)}`
}

/** The most names to give for one reason. */
const mostNames = 3

/** `source map × 4, bundle statistics (report.html)` */
function byReason(leftOut: ReportInput['leftOut']): string {
  return [...new Set(leftOut.map(({ reason }) => reason))]
    .map((reason) => {
      const files = leftOut.filter((file) => file.reason === reason)
      const names = files.filter(({ byName }) => byName).map(({ path }) => path)
      const more = names.length > mostNames ? [`${names.length - mostNames} more`] : []
      const named = names.length === 0 ? '' : ` (${[...names.slice(0, mostNames), ...more].join(', ')})`
      return `${reason}${files.length === 1 ? '' : ` × ${files.length}`}${named}`
    })
    .join(', ')
}

/** As Vite writes sizes: 1 kB is 1,000 bytes. */
export function formatBytes(bytes: number): string {
  // toFixed would round these up to 1000.00.
  if (bytes < 999_995) return `${(bytes / 1e3).toFixed(2)} kB`
  return bytes < 999_995_000 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}

export function duration(milliseconds: number): string {
  return milliseconds < 999.5 ? `${Math.round(milliseconds)}ms` : `${(milliseconds / 1000).toFixed(2)}s`
}

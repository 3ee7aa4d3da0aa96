import pc from 'picocolors'
import type { Decision } from './upload.js'

export interface ReportInput {
  decisions: readonly Decision[]
  /** Its number, where one was made. */
  release: number | undefined
  /** Each with its reason, a noun. */
  leftOut: readonly { path: string; reason: string }[]
  bucket: string
  location: string
  publicUrl: string
  dryRun: boolean
  milliseconds: number
}

type Colors = ReturnType<typeof pc.createColors>

/** What a deploy did, as lines for the bundler's own log. */
export function report(input: ReportInput, colors: Colors = pc): string {
  const { decisions, leftOut, dryRun } = input
  const changes = decisions.filter(({ action }) => action !== 'skip')
  const uploads = decisions.filter(({ action }) => action === 'upload')
  const rows = [
    row(dryRun ? 'to upload' : 'uploaded', uploads.filter(isFirst), colors.green),
    row(
      dryRun ? 'to update' : 'updated',
      uploads.filter((decision) => !isFirst(decision)),
      colors.cyan,
    ),
    row(
      'headers',
      decisions.filter(({ action }) => action === 'copy'),
      colors.cyan,
    ),
    row(
      'unchanged',
      decisions.filter(({ action }) => action === 'skip'),
      colors.dim,
    ),
    leftOut.length === 0 ? [] : [line('left out', leftOut.length, byReason(leftOut), colors.dim, colors)],
  ].flat()
  const target = `s3://${input.bucket}${input.location === '' ? '' : `/${input.location}`}`
  return [
    `${target} ${colors.dim('→')} ${colors.green(input.publicUrl)}`,
    ...(dryRun ? changes.map((decision) => `  ${decision.file.path} ${colors.dim(`(${decision.reason})`)}`) : []),
    ...rows,
    dryRun
      ? colors.yellow('dry run: nothing was written')
      : colors.green(`✓ ${said(changes.length, input.release)} in ${duration(input.milliseconds)}`),
  ].join('\n')

  function row(label: string, group: readonly Decision[], color: (text: string) => string): string[] {
    if (group.length === 0) return []
    return [line(label, group.length, sizeOf(group.map(({ file }) => file)), color, colors)]
  }
}

function said(changes: number, release: number | undefined): string {
  if (release !== undefined) return `release ${release} live`
  return changes === 0 ? 'nothing to upload' : 'live'
}

function isFirst({ reason }: Decision): boolean {
  return reason === 'new'
}

function line(label: string, count: number, rest: string, color: (text: string) => string, colors: Colors): string {
  return `  ${color(label.padEnd(10))}${colors.bold(String(count).padStart(6))}  ${colors.dim(rest)}`
}

function byReason(leftOut: ReportInput['leftOut']): string {
  const counts = new Map<string, number>()
  for (const { reason } of leftOut) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].map(([reason, count]) => `${reason}${count === 1 ? '' : ` × ${count}`}`).join(', ')
}

function sizeOf(files: readonly Decision['file'][]): string {
  return formatBytes(files.reduce((sum, { size }) => sum + size, 0))
}

/** As Vite writes sizes: 1 kB is 1,000 bytes. */
export function formatBytes(bytes: number): string {
  // What would be rounded up to 1000.00 is given in the next unit.
  if (bytes < 999_995) return `${(bytes / 1e3).toFixed(2)} kB`
  return bytes < 999_995_000 ? `${(bytes / 1e6).toFixed(2)} MB` : `${(bytes / 1e9).toFixed(2)} GB`
}

function duration(milliseconds: number): string {
  return milliseconds < 999.5 ? `${Math.round(milliseconds)}ms` : `${(milliseconds / 1000).toFixed(2)}s`
}

import pc from 'picocolors'
import { count } from '../../deploy/commands/prune.js'
import {
  type ExpiredPreview,
  formatBytes,
  type PreviewsCommandInput,
  type PrunedPreviews,
  pruneExpiredPreviews,
} from '../../deploy/commands/prune-previews.js'
import { printableLine } from '../../runtime/printable.js'
import { print } from '../print.js'
import { printJson } from '../usage.js'

export const previewFlags = {
  previews: { type: 'boolean' },
  keep: { type: 'string', multiple: true },
} as const

export const previewsHelp = `  --previews          deletes expired previews instead, for a location such as previews/[branch]. A preview expires if its newest
                      release is older than --keep-days. The previews of this branch, of the default branch and of main,
                      master, trunk and production never expire; nor do previews whose deploys are held
  --keep BRANCH       another branch whose preview never expires; repeatable
`

/** Runs `static-s3 prune --previews`. */
export async function runPrunePreviews(input: PreviewsCommandInput, json: boolean): Promise<void> {
  const pruned = await pruneExpiredPreviews(input)
  const { dryRun } = input.settings
  if (pruned.problem !== undefined) input.logger.warn(pruned.problem)
  if (json) printJson(asData(pruned, input))
  else print(process.stdout, asText(pruned, dryRun))
}

const day = 24 * 60 * 60 * 1000

function bytesOf({ files, beside }: ExpiredPreview): number {
  return [...files, ...beside].flat().reduce((sum, { size }) => sum + size, 0)
}

function asData({ kept, expired, problem, now }: PrunedPreviews, { settings }: PreviewsCommandInput): object {
  const facts = ({ location, branch, at }: PrunedPreviews['expired'][number] | PrunedPreviews['kept'][number][0]) => ({
    ...{ location, branch: branch ?? null, at: new Date(at).toISOString(), days: Math.floor((now - at) / day) },
  })
  const deleted = expired.map((preview) => ({
    ...facts(preview),
    ...{ files: preview.files.flat().length, bytes: bytesOf(preview), others: preview.others },
  }))
  return {
    status: settings.dryRun ? 'dry run' : deleted.length === 0 ? 'unchanged' : 'pruned',
    template: settings.preview?.template,
    deleted,
    bytes: deleted.reduce((sum, { bytes }) => sum + bytes, 0),
    kept: kept.map(([preview, why]) => ({ ...facts(preview), why })),
    problem: problem ?? null,
  }
}

function asText({ kept, expired, now }: PrunedPreviews, dryRun: boolean): string {
  const isEmpty = expired.length === 0
  const total = expired.reduce((sum, preview) => sum + bytesOf(preview), 0)
  const lasting = kept
    .filter(([, why]) => why !== 'recent')
    .map(([{ location }, why]) => `${location} (${why === 'branch' ? 'kept branch' : why})`)
  const rows = [
    ['kept', [count(kept.length, 'preview'), ...lasting].join(', ')],
    ...(isEmpty
      ? []
      : [[dryRun ? 'to delete' : 'deleted', `${count(expired.length, 'preview')}: ${formatBytes(total)}`]]),
  ]
  const lines = rows.map(([name = '', text = '']) => `  ${pc.dim(name.padEnd(9))} ${printableLine(text)}`)
  const listed = expired.map((preview) => {
    const { location, at, files, others } = preview
    const age = `${count(Math.floor((now - at) / day), 'day')} old`
    const staying = others > 0 ? `, without ${count(others, 'object')} of other tools` : ''
    const line = `  - ${location}: ${age}, ${count(files.flat().length, 'file')}, ${formatBytes(bytesOf(preview))}${staying}`
    return pc.red(printableLine(line))
  })
  const last = dryRun ? [pc.yellow('dry run: nothing was deleted')] : isEmpty ? [pc.green('✓ nothing to prune')] : []
  return `${[...lines, ...listed, ...last].join('\n')}\n`
}

import pc from 'picocolors'
import { amountOf, count, type Pruned, pruneReleases, pruneResultOf } from '../../deploy/commands/prune.js'
import { printableLine, several } from '../../runtime/printable.js'
import type { Settings } from '../../settings/settings.js'
import { print, printWarning } from '../print.js'
import { addressFlags, addressHelp, settingFlags, settingsOf } from '../settings.js'
import { type Command, commandOf, printJson, Usage } from '../usage.js'
import { previewFlags, previewsHelp, runPrunePreviews } from './prune-previews.js'

const help = `static-s3 prune

Deletes the files of expired releases. A release expires if it is not among the newest ones, and was not live or staged within
the last days. The live release and a release that is staged after it never expire. Prune deletes only files that static-s3
uploaded, that nobody has changed since, and that no kept release needs.

  --keep-releases NUMBER
                      how many releases to keep: 10 by default
  --keep-days DAYS    how long a release is kept after another one replaced it: 30 by default
  --unreferenced      also deletes files without a fingerprint that the live release doesn't have, such as excluded files and
                      renamed pages. A rollback restores them
  --tag               tags expired objects instead of deleting them, for a deployer without the right to delete. A lifecycle
                      rule deletes tagged objects: static-s3 policy lifecycle prints it
  --max-delete NUMBER the most objects of the location to delete; by default, a quarter of the recorded ones (at least 10),
                      or with --previews, all
${previewsHelp}  --dry-run           prints what would be deleted, and deletes nothing
  --json              prints the result as JSON, on the standard output
  --concurrency NUMBER, --lock-timeout SECONDS, --object-parameters JSON
                      instead of the environment's
${addressHelp.slice(1)}
Exit codes: 0 done, 1 failed, 2 wrong command line.
`

export const pruneCommand: Command = commandOf({
  words: '',
  summary: 'deletes the files of expired releases',
  help,
  flags: {
    ...addressFlags,
    concurrency: settingFlags.concurrency,
    'lock-timeout': settingFlags['lock-timeout'],
    'object-parameters': settingFlags['object-parameters'],
    'keep-releases': { type: 'string' },
    'keep-days': { type: 'string' },
    'max-delete': { type: 'string' },
    unreferenced: { type: 'boolean' },
    ...previewFlags,
    tag: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    json: { type: 'boolean' },
  },
  async run(values, words) {
    const { json = false, unreferenced = false, tag = false, previews = false, keep = [], ...rest } = values
    const { 'keep-releases': releases = '10', 'keep-days': days = '30', 'max-delete': most, ...named } = rest
    if (words.length > 0) throw new Usage('prune takes no words: --keep-releases and --keep-days choose what is kept')
    if (!/^[1-9]\d{0,7}$/.test(releases)) throw new Usage(`--keep-releases is ${releases}: use a whole number from 1`)
    if (!/^\d{1,5}(\.\d+)?$/.test(days)) throw new Usage(`--keep-days is ${days}: use a number of days`)
    if (most !== undefined && !/^\d{1,15}$/.test(most)) throw new Usage(`--max-delete is ${most}: use a whole number`)
    const release = ['keep-releases', 'unreferenced', 'tag'].find((name) => name in values)
    if (previews && release) throw new Usage(`--${release} is about releases: leave it out with --previews`)
    if (keep.length > 0 && !previews) throw new Usage('--keep is about previews: add --previews')
    const settings = await settingsOf(named, { options: {}, exposed: [] }, undefined, { allPreviews: previews })
    const info = (message: string) => print(process.stderr, `${message}\n`)
    const retention = { releases: Number(releases), days: Number(days) }
    const maxDelete = most === undefined ? undefined : Number(most)
    const logger = { info, warn: (message: string) => printWarning(printableLine(message)) }
    if (previews) {
      return runPrunePreviews({ settings, days: retention.days, branches: keep, maxDelete, logger }, json)
    }
    const pruned = await pruneReleases({ settings, retention, unreferenced, tag, maxDelete, logger })
    if (json) printJson(asData(pruned, settings.dryRun))
    else print(process.stdout, asText(pruned, settings))
    if (pruned.problem !== undefined) logger.warn(pruned.problem)
  },
})

const keysOf = (objects: readonly { key: string }[]) => objects.map(({ key }) => key)

function statusOf({ release, tag }: Pruned, dryRun: boolean): string {
  return dryRun ? 'dry run' : release === undefined ? 'unchanged' : tag ? 'tagged' : 'pruned'
}

function asData(pruned: Pruned, dryRun: boolean): object {
  const { survey, unreferenced, isDeployRunning, problem = null } = pruned
  return {
    ...{ status: statusOf(pruned, dryRun), live: survey.record.live, ...pruneResultOf(pruned) },
    ...{ unreferenced: keysOf(unreferenced), deployRunning: isDeployRunning, problem },
  }
}

function asText(pruned: Pruned, { bucket, location, publicUrl, dryRun }: Settings): string {
  const { kept, expired, unreferenced, isDeployRunning, tag } = pruned
  const done = tag ? 'tagged' : 'deleted'
  const result = pruneResultOf(pruned)
  const isEmpty = result.bytes === 0
  const rows = [
    ['kept', `${count(kept.length, 'release')}, the oldest is ${kept.at(-1)}`],
    ...(expired.length > 0 ? [['expired', `${count(expired.length, 'release')}: ${rangesOf(expired)}`]] : []),
    ...(isEmpty ? [] : [[dryRun ? `to ${tag ? 'tag' : 'delete'}` : done, amountOf(result)]]),
  ]
  const [first] = unreferenced
  const notes = [
    ...(first
      ? [
          `Unreferenced, and still in the bucket: ${printableLine(several(keysOf(unreferenced)))}`,
          'static-s3 prune --unreferenced deletes files that the live release does not have',
        ]
      : []),
    ...(tag && !isEmpty ? ['static-s3 policy lifecycle prints the lifecycle rules that delete tagged objects'] : []),
    ...(isDeployRunning ? ['A deploy is running: a prune waits for it, then surveys the bucket again'] : []),
  ]
  return `${[
    `s3://${bucket}${location === '' ? '' : `/${location}`} ${pc.dim('→')} ${pc.green(publicUrl)}`,
    ...(dryRun ? [...result.deleted, ...result.tagged].map((key) => pc.red(`  - ${printableLine(key)}`)) : []),
    ...rows.map(([name = '', text = '']) => `  ${pc.dim(name.padEnd(9))}  ${text}`),
    ...notes.map((note) => pc.yellow(`  ${note}`)),
    lastLine(pruned, dryRun, done),
  ].join('\n')}\n`
}

function lastLine({ release }: Pruned, dryRun: boolean, done: string): string {
  if (dryRun) return pc.yellow(`dry run: nothing was ${done}`)
  return pc.green(release === undefined ? '✓ nothing to prune' : `✓ ${done}, recorded as release ${release}`)
}

/** `1 to 4, 6` */
function rangesOf(newestFirst: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const number of [...newestFirst].reverse()) {
    const range = ranges.at(-1)
    if (range?.[1] === number - 1) range[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`)).join(', ')
}

import pc from 'picocolors'
import { count } from '../../deploy/commands/prune.js'
import {
  differenceOf,
  filesOf,
  formatBytes,
  oneRelease,
  type ReleaseEntry,
  type ReleaseRecord,
  type Releases,
  releasesOf,
} from '../../deploy/commands/releases.js'
import { printableLine, printableTime } from '../../runtime/printable.js'
import type { Settings } from '../../settings/settings.js'
import { print, printWarning } from '../print.js'
import { addressFlags, addressHelp, settingsOf } from '../settings.js'
import { type Command, commandOf, printJson, Usage } from '../usage.js'
import { numberOf } from './release-number.js'

const help = `static-s3 releases [NUMBER [NUMBER]]

Lists the releases of a location, the newest first: number, command, time (UTC), files, new or changed files, size, commit and author.
With a number, it lists the files of that release. With two, it lists the files by which the second differs from the first.

  --most NUMBER       how many to list: 20 by default
  --json              prints an object
${addressHelp.slice(1)}
Exit codes: 0 printed, 1 failed, 2 wrong command line.
`

export const releasesCommand: Command = commandOf({
  words: '[NUMBER [NUMBER]]',
  summary: 'lists the releases of a location, or the files of one',
  help,
  flags: { ...addressFlags, most: { type: 'string' }, json: { type: 'boolean' } },
  async run({ json = false, most = '20', ...named }, [first, second, ...more]) {
    if (more.length > 0) throw new Usage(`releases takes two numbers at most, and not ${more.join(' ')} too`)
    if (!/^[1-9]\d{0,7}$/.test(most)) throw new Usage(`--most is ${most}: use a whole number from 1`)
    const [one, other] = [first, second].map((word) => numberOf('releases', word === undefined ? [] : [word]))
    const settings = await settingsOf(named, { options: {}, exposed: [] })
    const show = (data: object, text: string) => (json ? printJson(data) : print(process.stdout, text))
    if (one === undefined) {
      const found = await releasesOf(settings, Number(most))
      for (const problem of found.problems) printWarning(printableLine(problem))
      show(asData(found, settings), table(found, settings))
    } else if (other === undefined) {
      const record = await oneRelease(settings, one)
      show(recordAsData(record), recordAsText(record))
    } else {
      const difference = differenceOf(await oneRelease(settings, one), await oneRelease(settings, other))
      show(difference, differenceAsText(difference))
    }
  },
})

function asData({ releases, hold, older }: Releases, { bucket, location, publicUrl }: Settings): object {
  return { bucket, location, publicUrl, hold: hold ?? null, older, releases }
}

const colorOf: Record<ReleaseEntry['state'], (text: string) => string> = {
  live: pc.green,
  staged: pc.yellow,
  earlier: pc.dim,
  hold: pc.dim,
  resume: pc.dim,
  prune: pc.dim,
}

function table({ releases, hold, older }: Releases, { bucket, location, publicUrl }: Settings): string {
  const where = `s3://${bucket}${location === '' ? '' : `/${location}`} ${pc.dim('→')} ${pc.green(publicUrl)}`
  if (releases.length === 0) return `${where}\n  no release yet\n`
  const rows = releases.map((entry) => [
    String(entry.release),
    entry.state,
    typed(entry),
    printableTime(entry.at).slice(0, -' UTC'.length),
    entry.files === 0 ? '' : count(entry.files, 'file'),
    entry.changed === undefined ? '' : `${entry.changed} new`,
    entry.files === 0 ? '' : formatBytes(entry.bytes),
    entry.commit?.slice(0, 8) ?? '',
    entry.by,
  ])
  const widths = rows.reduce((most, row) => row.map((cell, i) => Math.max(most[i] ?? 0, cell.length)), [] as number[])
  const lines = rows.map((row, i) => {
    // Numbers to the right, texts to the left.
    const cells = row.map((cell, j) =>
      ([0, 4, 5, 6].includes(j) ? cell.padStart : cell.padEnd).call(cell, widths[j] ?? 0),
    )
    const line = printableLine(`  ${cells.join('  ')}`).trimEnd()
    return colorOf[(releases[i] as ReleaseEntry).state](line)
  })
  const held =
    hold &&
    pc.yellow(
      `  Deploys are held: ${printableLine(hold.reason)} (${printableLine(hold.by)}, ${printableTime(hold.at)})`,
    )
  const rest = older > 0 ? [pc.dim(`  ${older} older: --most ${releases.length + older}`)] : []
  return `${[where, ...lines, ...rest, ...(held ? [held] : [])].join('\n')}\n`
}

/** As it was typed: `rollback 3`. The first versions recorded no command. */
function typed({ command, activated }: ReleaseEntry): string {
  if (activated === undefined) return command ?? '–'
  return `${command ?? 'from'} ${activated}`
}

function recordAsData(record: ReleaseRecord): object {
  const { objects, splitAt, conditionalWrites, staged, ...facts } = record
  const files = [...filesOf(record)].map(([path, { size, sha256, headers, fingerprinted }]) => [
    path,
    { size, sha256, fingerprinted, headers: JSON.parse(headers) },
  ])
  return { ...facts, staged: staged !== undefined, files: Object.fromEntries(files) }
}

function recordAsText(record: ReleaseRecord): string {
  const { release, at, by, command, commit, bundler, project, activated, hold } = record
  const facts: [string, string | undefined][] = [
    ['time', at.toISOString()],
    ['by', by],
    ['command', command],
    ['commit', commit],
    ['built by', bundler],
    ['project', project],
    ['activated', activated === undefined ? undefined : `release ${activated}`],
    ['hold', hold?.reason],
  ]
  const lines = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${pc.dim(name.padEnd(13))} ${printableLine(value)}`],
  )
  const files = [...filesOf(record)].sort(([a], [b]) => (a < b ? -1 : 1))
  const rows = files.map(
    ([path, { size, fingerprinted }]) =>
      `  ${formatBytes(size).padStart(11)}  ${printableLine(path)}${fingerprinted ? '' : pc.dim(' (no fingerprint)')}`,
  )
  return `${[`release ${release}${record.staged ? pc.yellow(' staged') : ''}`, ...lines, ...rows].join('\n')}\n`
}

function differenceAsText({ added, removed, changed, headers }: ReturnType<typeof differenceOf>): string {
  const part = (sign: string, paths: readonly string[], color: (text: string) => string) =>
    paths.map((path) => color(`${sign} ${printableLine(path)}`))
  const lines = [
    ...part('+', added, pc.green),
    ...part('-', removed, pc.red),
    ...part('~', changed, pc.cyan),
    ...headers.map((path) => `${pc.cyan('h')} ${printableLine(path)} ${pc.dim('(headers)')}`),
  ]
  return `${(lines.length === 0 ? ['no difference'] : lines).join('\n')}\n`
}

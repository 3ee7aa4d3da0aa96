import { hold } from '../../deploy/commands/hold.js'
import { printable } from '../../runtime/printable.js'
import { print, printWarning } from '../print.js'
import { addressFlags, addressHelp, settingFlags, settingsOf } from '../settings.js'
import { type Command, commandOf, printJson, Usage } from '../usage.js'

const flags = {
  ...addressFlags,
  'lock-timeout': settingFlags['lock-timeout'],
  'object-parameters': settingFlags['object-parameters'],
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

const rest = `  --dry-run           says what would happen, and writes nothing to the bucket
  --json              prints the result as JSON, on the standard output
  --lock-timeout SECONDS, --object-parameters JSON
                      instead of the environment's
${addressHelp.slice(1)}
Exit codes: 0 done, 1 failed, 2 wrong command line.
`

type Values = Parameters<typeof settingsOf>[0] & { json?: boolean; 'dry-run'?: boolean }

export const holdCommand: Command = commandOf({
  words: 'REASON',
  summary: 'keeps later deploys from going live: they stage their releases',
  help: `static-s3 hold "REASON"

Holds deploys: each one stages its release and prints the reason. static-s3 activate NUMBER makes such a release live, and
static-s3 resume ends the hold.

${rest}`,
  flags,
  async run(values, [reason, ...more]) {
    if (!reason?.trim()) throw new Usage('hold needs a reason: static-s3 hold "the API is not ready"')
    if (more.length > 0) throw new Usage(`hold takes one reason, in quotation marks, and not ${more.join(' ')} too`)
    const { release = null, live } = await change(values, reason)
    const isDry = values['dry-run'] === true
    if (values.json) return printJson({ status: isDry ? 'dry run' : 'held', release, live, reason })
    const held = isDry ? 'dry run: deploys would be held' : 'Deploys are held'
    print(process.stdout, `${held}: ${printable(reason)}. Release ${live} stays live.\n`)
  },
})

export const resumeCommand: Command = commandOf({
  words: '',
  summary: 'ends a hold: the next deploy goes live',
  help: `static-s3 resume

Ends a hold. The next deploy goes live again. A release that was staged meanwhile stays staged: static-s3 activate NUMBER
makes it live.

${rest}`,
  flags,
  async run(values, words) {
    if (words.length > 0) throw new Usage('resume takes no words')
    const { release = null, before, live } = await change(values, undefined)
    const isDry = values['dry-run'] === true
    const status = isDry ? 'dry run' : before ? 'resumed' : 'unchanged'
    if (values.json) return printJson({ status, release, live, reason: before?.reason ?? null })
    if (!before) return print(process.stdout, 'Nothing is held.\n')
    const resumed = isDry ? 'dry run: deploys would go live again' : 'Deploys go live again'
    print(process.stdout, `${resumed}. Release ${live} is live. The hold: ${printable(before.reason)}\n`)
  },
})

async function change({ json: _, ...named }: Values, reason: string | undefined) {
  const settings = await settingsOf(named, { options: {}, exposed: [] })
  const info = (message: string) => print(process.stderr, `${message}\n`)
  return hold({ settings, reason, logger: { info, warn: printWarning } })
}

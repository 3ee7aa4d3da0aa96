import pc from 'picocolors'
import {
  type Checked,
  checkBucket,
  conclusion,
  findingAsData,
  findingAsText,
  outcomeOf,
} from '../deploy/commands/check.js'
import { print } from './print.js'
import { addressFlags, addressHelp, settingFlags, settingsOf } from './settings.js'
import { commandOf, printJson, Usage } from './usage.js'

const help = `static-s3 check [LOCATION]

Tests the bucket as a deploy and as a visitor's browser: credentials, rights, privacy, and a file through the public URL.
Prints a verdict and a remedy for each point. Writes a few small files, which no page uses, and deletes them if it may.
Takes no lock, so deploys may run meanwhile. The bucket's address comes from the environment, .env files or flags.

  --json              prints one object for scripts, on the standard output
  --acl NAME, --object-parameters JSON, --cache-control JSON
                      instead of the environment's
${addressHelp}
Exit codes: 0 fine, 1 broken or a wrong setting, 2 cannot tell or wrong command line.
`

// The other flags are about the files of a release.
const { acl, 'object-parameters': parameters, 'cache-control': cacheControl } = settingFlags
const flags = { ...addressFlags, acl, 'object-parameters': parameters, 'cache-control': cacheControl } as const

export const checkCommand = commandOf({
  words: '[LOCATION]',
  summary: 'tests the bucket as a deploy and as a browser, and prints remedies',
  help,
  flags: { ...flags, json: { type: 'boolean' } },
  async run({ json, ...named }, [location, ...more]) {
    if (more.length > 0) throw new Usage(`check takes one location: remove ${more.join(' ')}`)
    const settings = await settingsOf(named, { options: {}, exposed: [] }, location)
    const { bucket, location: folder, publicUrl } = settings
    const say = (text: string) => json || print(process.stdout, `${text}\n`)
    say(`s3://${bucket}${folder === '' ? '' : `/${folder}`} ${pc.dim('→')} ${pc.green(publicUrl)}`)
    let group = ''
    const onFinding = (found: Checked) => {
      if (found.because) return
      if (found.point.group !== group) say(`\n${pc.bold(found.point.group)}`)
      group = found.point.group
      say(findingAsText(found))
    }
    const findings = await checkBucket(settings, named.mode ?? 'production', onFinding)
    const outcome = outcomeOf(findings)
    say(`\n${conclusion(findings)}`)
    const data = { status: outcome, bucket, location: folder, publicUrl, points: findings.map(findingAsData) }
    if (json) printJson(data)
    return { fine: 0, broken: 1, unclear: 2 }[outcome]
  },
})

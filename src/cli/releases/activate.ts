import { activate } from '../../deploy/commands/activate.js'
import { printResults, resultFlags } from '../print.js'
import { addressFlags, addressHelp, settingFlags, settingsOf } from '../settings.js'
import { type Command, commandOf, Usage } from '../usage.js'
import { numberOf } from './release-number.js'

const results = `  --json              prints the results as JSON, on the standard output
  --report FILE       writes them as JSON to a file
  --dry-run           prints the plan, and writes nothing to the bucket
  --verify warn|fail|false, --concurrency NUMBER, --lock-timeout SECONDS, --object-parameters JSON
                      instead of the environment's
${addressHelp.slice(1)}
Exit codes: 0 live or unchanged, 1 failed, 2 wrong command line.
`

const flags = {
  ...addressFlags,
  ...resultFlags,
  verify: settingFlags.verify,
  concurrency: settingFlags.concurrency,
  'lock-timeout': settingFlags['lock-timeout'],
  'object-parameters': settingFlags['object-parameters'],
}

export const activateCommand: Command = commandOf({
  words: 'NUMBER',
  summary: 'makes a staged or earlier release live',
  help: `static-s3 activate NUMBER

Makes a staged or earlier release live. Its files are copied on the server, pages last. The copies are a release of their
own, with the next number. static-s3 releases lists the numbers.

${results}`,
  flags,
  async run({ json = false, ...named }, words) {
    const number = numberOf('activate', words)
    if (number === undefined) throw new Usage('activate needs the number of a release: static-s3 releases lists them')
    await printResults(json, async (output) => {
      const settings = await settingsOf(named, { options: {}, exposed: [] })
      return activate({ settings, number, ...output })
    })
  },
})

export const rollbackCommand: Command = commandOf({
  words: '[NUMBER]',
  summary: 'restores an earlier release, and holds later deploys',
  help: `static-s3 rollback [NUMBER]

Restores an earlier release: the one before the live release, or the one with this number. Its files are copied on the
server, pages last. From then on, deploys are held: they stage their releases, so that none makes the bad one live again.
static-s3 resume ends the hold.

  --reason TEXT       the reason that held deploys print; by default, the number of the restored release
${results}`,
  flags: { ...flags, reason: { type: 'string' } },
  async run({ json = false, reason, ...named }, words) {
    const number = numberOf('rollback', words)
    await printResults(json, async (output) => {
      const settings = await settingsOf(named, { options: {}, exposed: [] })
      const done = await activate({ settings, number, hold: { reason }, ...output })
      if (!settings.dryRun)
        output.logger.info('Deploys are held now: they stage their releases until static-s3 resume.')
      return done
    })
  },
})

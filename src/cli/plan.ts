import { resolve } from 'node:path'
import { type Preview, preview, readFolders } from '../deploy/commands/preview.js'
import { printable } from '../runtime/printable.js'
import type { Settings } from '../settings/settings.js'
import { print, printWarning } from './print.js'
import { settingFlags, settingHelp, settingsOf } from './settings.js'
import { checkFolders, commandOf, printJson, Usage } from './usage.js'

const help = `static-s3 plan DIR [LOCATION]

Prints each change in a deploy of the folder, and its reason. Writes nothing. Finds the fingerprinted names as static-s3
deploy does; if the folder names none, those of the last release count. Does not read the bundler's configuration.

  --json              prints the plan as JSON
${settingHelp()}`

export const planCommand = commandOf({
  words: 'DIR [LOCATION]',
  summary: 'prints each change in a deploy of this folder, and its reason; writes nothing',
  help,
  flags: { ...settingFlags, json: { type: 'boolean' } },
  async run({ json, ...named }, [dir, location, ...more]) {
    if (dir === undefined) throw new Usage('plan needs a folder: static-s3 plan DIR [LOCATION]')
    if (more.length > 0) throw new Usage(`plan takes a folder and a location: remove ${more.join(' ')}`)
    checkFolders([dir])
    const plans: object[] = []
    for (const release of await readFolders([resolve(dir)])) {
      const settings = await settingsOf(named, release.known, location)
      const found = await preview(release, settings)
      plans.push(asData(settings, found))
      if (json) continue
      for (const warning of found.warnings) printWarning(printable(warning))
      print(process.stdout, `${found.text}\n`)
    }
    const data = plans.length === 1 ? plans[0] : plans
    if (json) printJson(data)
  },
})

function asData(settings: Settings, { decisions, leftOut, overwritten, last, warnings }: Preview): object {
  const { bucket, location, publicUrl } = settings
  const files = decisions.map(({ file, action, reason }) => {
    const { path, key, size, group, parameters } = file
    return { path, key, action, reason, size, group, parameters }
  })
  const { objects, splitAt, conditionalWrites, staged, ...release } = last ?? {}
  return {
    bucket,
    location,
    publicUrl,
    last: last ? release : null,
    files,
    leftOut: leftOut.map(({ path, reason }) => ({ path, reason })),
    overwritten,
    warnings,
  }
}

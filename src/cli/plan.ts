import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import pc from 'picocolors'
import { preview } from '../deploy/preview.js'
import { printable } from '../runtime/printable.js'
import { print } from './print.js'
import { settingFlags, settingHelp, settingsOf } from './settings.js'
import { type Command, readWords, Usage } from './usage.js'

const help = `static-s3 plan DIR [LOCATION]

Prints each change in a deploy of the folder, and its reason. Writes nothing. Only a bundler knows the fingerprinted names: a name counts as
fingerprinted if it was so in the last release. The bundler's configuration is not read.

  --json              for scripts
  --force             as if everything were uploaded
${settingHelp.slice(1)}`

export const planCommand: Command = {
  words: 'DIR [LOCATION]',
  summary: 'prints what a deploy of this folder would do, and why; writes nothing',
  run,
}

async function run(words: readonly string[]): Promise<void> {
  const flags = {
    ...settingFlags,
    json: { type: 'boolean' },
    force: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  const { values, positionals } = readWords({ args: [...words], options: flags, allowPositionals: true, strict: true })
  const { json, force, help: helped, ...named } = values
  if (helped) {
    process.stdout.write(help)
    return
  }
  const [dir, location, ...more] = positionals
  if (dir === undefined) throw new Usage('plan needs a folder: static-s3 plan DIR [LOCATION]')
  if (more.length > 0) throw new Usage(`plan takes a folder and a location, and not ${more.join(' ')} too`)
  if (!(await stat(dir).catch(() => undefined))?.isDirectory()) throw new Usage(`${dir} is no folder`)

  const settings = await settingsOf(named, {
    ...(location === undefined ? {} : { location }),
    ...(force === undefined ? {} : { force }),
    rewrite: false,
  })
  const { decisions, leftOut, overwritten, last, warnings, text } = await preview(settings, resolve(dir))
  if (!json) {
    for (const warning of warnings) print(process.stderr, `${pc.yellow(`static-s3: ${printable(warning)}`)}\n`)
    print(process.stdout, `${text}\n`)
    return
  }
  const { bucket, publicUrl } = settings
  const files = [...decisions].map(({ file, action, reason }) => {
    const { path, key, size, group, parameters } = file
    return { path, key, action, reason, size, group, parameters }
  })
  const { objects, splitAt, conditionalWrites, ...release } = last ?? {}
  const report = {
    bucket,
    location: settings.location,
    publicUrl,
    last: last ? release : null,
    files,
    leftOut: leftOut.map(({ path, reason }) => ({ path, reason })),
    overwritten,
    warnings,
  }
  process.stdout.write(`${printable(JSON.stringify(report, undefined, 2))}\n`)
}

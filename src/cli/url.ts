import { resolve } from 'node:path'
import { outputFolder, publicUrls } from '../deploy/commands/url.js'
import { printable } from '../runtime/printable.js'
import { printWarning } from './print.js'
import { addressFlags, addressHelp, settingsOf } from './settings.js'
import { checkFolders, commandOf, printJson, Usage } from './usage.js'

const help = `static-s3 url FILE [FILE…]

Prints the public URL of each file, for e-mails and feeds: static-s3 url src/logo.png favicon.ico. FILE is a name in the
sources, as the manifest of Vite, webpack, Encore, Django or Rails has it, or a name in the output folder. Sends no
request, and needs no credentials.

  --dir DIR           the output folder; dist, build, public/build or public/vite by default
  --json              prints an object, with the URLs under the files' names
${addressHelp}
Exit codes: 0 printed, 1 a file without a public URL, 2 wrong command line.
`

export const urlCommand = commandOf({
  words: 'FILE [FILE…]',
  summary: "prints the public URLs of files, from the build's manifest",
  help,
  flags: { ...addressFlags, dir: { type: 'string' }, json: { type: 'boolean' } },
  async run({ json, dir, ...named }, files) {
    if (files.length === 0) throw new Usage('url needs a file: static-s3 url FILE')
    if (dir !== undefined) checkFolders([dir])
    const { urls, warnings } = await publicUrls({
      dir: dir === undefined ? outputFolder(process.cwd()) : resolve(dir),
      files,
      settingsFor: (known) => settingsOf(named, known),
    })
    for (const warning of warnings) printWarning(printable(warning))
    if (json) printJson(Object.fromEntries(urls))
    else process.stdout.write(printable(`${[...urls.values()].join('\n')}\n`))
  },
})

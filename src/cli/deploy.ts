import { resolve } from 'node:path'
import { deployFolders } from '../deploy/commands/deploy-folders.js'
import { printResults, resultFlags } from './print.js'
import { settingFlags, settingHelp, settingsOf } from './settings.js'
import { checkFolders, commandOf, Usage } from './usage.js'

const help = `static-s3 deploy DIR [DIR…]

Uploads the output folders of finished builds. A build with the option upload: false (STATIC_S3_UPLOAD=0) leaves a file
in its output folder, .static-s3.json, with the fingerprinted names and the options of its configuration. Without this
file, the manifests of Vite, webpack, Next, Django and Rails name the fingerprinted files. All folders are checked before
the first one goes live. The bucket's address comes from the environment, .env files or flags.

  --stage             uploads everything that visitors do not see yet; static-s3 activate makes the release live
  --json              prints the results as JSON, on the standard output
  --report FILE       writes them as JSON to a file
  --dry-run           prints the plan, and writes nothing to the bucket
${settingHelp()}
Exit codes: 0 live, staged or unchanged, 1 failed, 2 wrong command line.
`

export const deployCommand = commandOf({
  words: 'DIR [DIR…]',
  summary: 'uploads the output folders of finished builds',
  help,
  flags: { ...settingFlags, ...resultFlags, stage: { type: 'boolean' } },
  async run({ json = false, stage = false, ...named }, dirs) {
    if (dirs.length === 0) throw new Usage('deploy needs a folder: static-s3 deploy DIR')
    checkFolders(dirs)
    await printResults(json, (output) =>
      deployFolders({
        dirs: dirs.map((dir) => resolve(dir)),
        settingsFor: (known) => settingsOf(stage ? { ...named, activate: false } : named, known),
        ...output,
      }),
    )
  },
})

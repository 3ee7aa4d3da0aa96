import { resolve } from 'node:path'
import { syncFolder } from '../deploy/commands/sync.js'
import { printResults, resultFlags } from './print.js'
import { settingFlags, settingHelp, settingsOf } from './settings.js'
import { checkFolders, commandOf, Usage } from './usage.js'

const help = `static-s3 sync DIR [LOCATION]

Uploads a folder that no build made: media, or the output of Django's collectstatic, whose staticfiles.json names the
fingerprinted files. Each folder has its own location. Only files with other bytes or headers are sent. The files are
not parsed.

  --delete            after the uploads, deletes objects whose files are gone from the folder, if static-s3 uploaded them
                      and nobody has changed them since
  --max-delete NUMBER the most objects to delete; a quarter of the recorded ones (at least 10) by default
  --skip-existing     never replaces an object, and compares nothing
  --cache-control VALUE
                      for all files, such as "public, max-age=86400"; or JSON: {"fingerprinted": "…", "other": "…"}
  --json              prints the results as JSON, on the standard output
  --report FILE       writes them as JSON to a file
  --dry-run           prints the plan, and writes and deletes nothing
${settingHelp('cache-control', 'allow-missing')}
Exit codes: 0 live or unchanged, 1 failed, 2 wrong command line.
`

// No URL in these files is checked.
const { 'allow-missing': _, ...flags } = settingFlags

export const syncCommand = commandOf({
  words: 'DIR [LOCATION]',
  summary: 'uploads a folder that no build made: media, or collected static files',
  help,
  flags: {
    ...flags,
    ...resultFlags,
    delete: { type: 'boolean' },
    'max-delete': { type: 'string' },
    'skip-existing': { type: 'boolean' },
  },
  async run(
    { json = false, delete: deletes = false, 'max-delete': most, 'skip-existing': skipExisting = false, ...named },
    [dir, location, ...more],
  ) {
    if (dir === undefined) throw new Usage('sync needs a folder: static-s3 sync DIR [LOCATION]')
    if (more.length > 0) throw new Usage(`sync takes a folder and a location: remove ${more.join(' ')}`)
    if (most !== undefined && !/^\d{1,15}$/.test(most)) throw new Usage(`--max-delete is ${most}: use a whole number`)
    if (most !== undefined && !deletes) throw new Usage('--max-delete needs --delete')
    if (skipExisting && named.force)
      throw new Usage('--force replaces objects, and --skip-existing does not: choose one')
    checkFolders([dir])
    const forAll = valueForAll(named['cache-control'])
    if (forAll !== undefined) named['cache-control'] = JSON.stringify({ fingerprinted: forAll, other: forAll })
    await printResults(json, async (output) => {
      const settings = await settingsOf(named, { options: {}, exposed: [] }, location, {
        // LOCATION may be for media.
        hasStaticUrl: location === undefined,
      })
      if (forAll !== undefined) delete settings.objectParameters.CacheControl
      const maxDelete = most === undefined ? undefined : Number(most)
      return syncFolder({ dir: resolve(dir), settings, deletes, maxDelete, skipExisting, ...output })
    })
  },
})

/** A header's value for all files; undefined for JSON. */
function valueForAll(text: string | undefined): string | undefined {
  return text === undefined || text.trimStart().startsWith('{') ? undefined : text
}

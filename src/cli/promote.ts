import { promote } from '../deploy/commands/promote.js'
import { printResults, resultFlags } from './print.js'
import { settingFlags, settingsOf } from './settings.js'
import { commandOf, Usage } from './usage.js'

const help = `static-s3 promote FROM TO

Copies the newest release of the location FROM to the location TO of the same bucket, on the server: static-s3 promote
staging static. Only pages and other files whose URLs change are sent, with the URLs of TO. A fingerprinted file that
contains the URL of FROM stops the promotion, so build with rewrite: 'relative'. The files keep the headers that they
have in FROM. The bucket's address comes from the environment, .env files or flags.

  --json              prints the results as JSON, on the standard output
  --report FILE       writes them as JSON to a file
  --dry-run           prints the plan, and writes nothing to the bucket
  --bucket NAME, --region NAME, --endpoint URL, --addressing-style auto|path|virtual, --custom-domain DOMAIN,
  --object-parameters JSON, --verify warn|fail|false, --file-overwrite true|false, --concurrency NUMBER,
  --lock-timeout SECONDS
                      instead of the environment's; the domain is TO's
  --allow-secrets VARIABLE
                      a .env variable whose value may be uploaded; repeatable
  --allow-missing GLOB
                      missing files that URLs may name; repeatable
  --force             copies unchanged files too
  --mode MODE         which .env files are read, in this folder; production by default

Exit codes: 0 live or unchanged, 1 failed, 2 wrong command line.
`

// FROM and TO replace `--location`. The other flags left out decide about files and headers: a promotion keeps the release's.
const {
  location,
  acl,
  rules,
  compress,
  'cache-control': _,
  include,
  exclude,
  'source-maps': __,
  ...flags
} = settingFlags

export const promoteCommand = commandOf({
  words: 'FROM TO',
  summary: 'copies the newest release of a location to another one',
  help,
  flags: { ...flags, ...resultFlags },
  async run({ json = false, ...named }, [from, to, ...more]) {
    if (from === undefined || to === undefined || more.length > 0) {
      throw new Usage('promote needs two locations: static-s3 promote FROM TO')
    }
    const known = { options: {}, exposed: [] }
    await printResults(json, async (output) => {
      const source = await settingsOf(named, known, from, { word: 'FROM' })
      const target = await settingsOf(named, known, to, { word: 'TO' })
      if (source.location === target.location) throw new Usage(`promote: FROM and TO are the same location, ${to}`)
      return promote({ from: source, to: target, ...output })
    })
  },
})

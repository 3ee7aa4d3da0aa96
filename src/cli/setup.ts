import { setTimeout } from 'node:timers/promises'
import pc from 'picocolors'
import { applySetups } from '../deploy/commands/apply-setup.js'
import {
  type BucketSetup,
  distributionArn,
  locationSetting,
  prepareSetup,
  type SetupOptions,
} from '../deploy/commands/setup.js'
import { StaticS3Error } from '../runtime/error.js'
import { printable } from '../runtime/printable.js'
import type { Settings } from '../settings/settings.js'
import { globsOf, onlyOnAws, originsOf } from './policy-flags.js'
import { print, printWarning } from './print.js'
import { addressFlags, addressHelp, settingsOf } from './settings.js'
import { commandOf, printJson, Usage } from './usage.js'

const help = `static-s3 setup

Prepares the bucket for deploys and visitors: creates it if it does not exist, lets everybody read the location alone,
lets pages load modules and fonts from it (CORS), and removes the parts of abandoned uploads after 7 days. On AWS, it
also turns ACLs off and opens the public access block as far as the policy needs it. Statements and rules of others stay.
Shows the changes, then asks. A second run changes nothing.

  --also BUCKET       sets up another bucket alike, such as one for development; repeatable
  --cloudfront ARN    lets only this CloudFront distribution read the location, by origin access control
  --public            opens to everybody a location that only CloudFront, or some visitors, can read today
  --origin URL        a site whose pages use the files, such as https://example.com; every site by default; repeatable
  --immutable GLOB    names below the location that nobody may overwrite, such as 'assets/*'; repeatable. AWS only
  --yes               does not ask
  --dry-run           shows the changes, and writes nothing
  --json              prints the changes as JSON, on the standard output; needs --yes or --dry-run
${addressHelp}
Exit codes: 0 set up or nothing to do, 1 failed or not confirmed, 2 wrong command line.
`

const setupFlags = {
  also: { type: 'string', multiple: true },
  cloudfront: { type: 'string' },
  public: { type: 'boolean' },
  origin: { type: 'string', multiple: true },
  immutable: { type: 'string', multiple: true },
  yes: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

export const setupCommand = commandOf({
  words: '',
  summary: 'creates and configures the bucket; shows the changes first, and asks',
  help,
  flags: { ...addressFlags, ...setupFlags },
  async run(values, words) {
    const { also = [], cloudfront, public: isPublic = false, origin, immutable, ...others } = values
    const { yes, 'dry-run': dryRun, json = false, ...named } = others
    if (words.length > 0) throw new Usage(`setup takes flags only: remove ${words.join(' ')}`)
    if (isPublic && cloudfront !== undefined) throw new Usage('--public and --cloudfront exclude each other')
    const known = { options: {}, exposed: [] }
    const ofAll = { allPreviews: true }
    const first = await settingsOf(named, known, undefined, ofAll)
    const all: Settings[] = [first]
    for (const bucket of new Set(also)) {
      if (bucket !== first.bucket) all.push(await settingsOf({ ...named, bucket }, known, undefined, ofAll))
    }
    const options = { readers: readersOf(first, cloudfront, immutable), isPublic, origins: origin && originsOf(origin) }
    const setups = await prepareAll(all, options)
    try {
      if (!json) show(setups)
      const isChange = setups.some(({ isNew, changes }) => isNew || changes.length > 0)
      if (isChange && !dryRun && !yes) await confirm(json)
      const lacks = dryRun ? [] : await applySetups(setups, (report) => printWarning(printable(report)))
      for (const lack of lacks) printWarning(printable(lack))
      if (json) printJson(setups.map((setup) => ({ status: statusOf(setup, dryRun), ...asData(setup) })))
      else
        print(process.stdout, dryRun ? 'dry run: nothing was written\n' : nextSteps(setups, isChange, named.location))
    } finally {
      for (const { close } of setups) close()
    }
  },
})

async function prepareAll(all: readonly Settings[], options: SetupOptions): Promise<BucketSetup[]> {
  const setups: BucketSetup[] = []
  try {
    for (const settings of all) setups.push(await prepareSetup(settings, options))
    return setups
  } catch (error) {
    for (const { close } of setups) close()
    throw error
  }
}

function readersOf(
  settings: Settings,
  cloudfront: string | undefined,
  globs: string[] | undefined,
): SetupOptions['readers'] {
  if (globs) onlyOnAws('--immutable', settings)
  const immutable = globs && globsOf(globs)
  if (cloudfront === undefined) return { immutable }
  const distribution = distributionArn(cloudfront, settings)
  if (distribution === undefined) {
    throw new Usage(
      `--cloudfront is ${cloudfront}: give the distribution's ARN, such as arn:aws:cloudfront::123456789012:distribution/E1ABC`,
    )
  }
  onlyOnAws('--cloudfront', settings)
  return { distribution, immutable }
}

function show(setups: readonly BucketSetup[]): void {
  for (const { settings, difference, warnings } of setups) {
    const where = `s3://${settings.bucket}${settings.location === '' ? '' : `/${settings.location}`}`
    print(process.stdout, `${pc.bold(printable(`${where} → ${settings.publicUrl}`))}\n`)
    const lines = difference.map((line) => coloured(printable(line)))
    print(process.stdout, `${lines.length > 0 ? lines.join('\n') : 'nothing to change'}\n\n`)
    for (const warning of warnings) printWarning(printable(warning))
  }
}

function coloured(line: string): string {
  if (line.startsWith('+')) return pc.green(line)
  return line.startsWith('-') ? pc.red(line) : pc.bold(line)
}

/** @throws StaticS3Error unless the user confirms */
async function confirm(json: boolean): Promise<void> {
  if (json || !process.stdin.isTTY || !process.stdout.isTTY) {
    throw new StaticS3Error('static-s3: nothing was changed: without a terminal, confirm the changes with --yes.')
  }
  const prompts = await import('@clack/prompts')
  const isStopped = await forgetKeys(process.stdin)
  const answer = !isStopped && (await prompts.confirm({ message: 'Apply these changes?', initialValue: false }))
  if (answer !== true) throw new StaticS3Error('static-s3: nothing was changed.')
}

/** Drops the keys typed before the question: they are no answer to it. Resolves to true if one of them is Ctrl-C. */
async function forgetKeys(stdin: NodeJS.ReadStream): Promise<boolean> {
  const typed: Buffer[] = []
  const keep = (keys: Buffer) => typed.push(keys)
  // Otherwise the terminal keeps an unfinished line, and gives it to the question.
  stdin.setRawMode(true).on('data', keep)
  await setTimeout(50)
  stdin.off('data', keep).pause().setRawMode(false)
  return Buffer.concat(typed).includes('\x03')
}

/** @param named the location on the command line, which may be one for a folder that no build made */
function nextSteps(setups: readonly BucketSetup[], isChange: boolean, named: string | undefined): string {
  const variables = setups.map(({ settings }) => {
    const { bucket, region, endpoint, addressingStyle, customDomain } = settings
    const location = locationSetting(settings)
    return [
      'USE_S3=1',
      `AWS_STORAGE_BUCKET_NAME=${bucket}`,
      ...(location === 'static' ? [] : [`AWS_LOCATION=${location}`]),
      `AWS_S3_REGION_NAME=${region}`,
      ...(endpoint === undefined ? [] : [`AWS_S3_ENDPOINT_URL=${endpoint}`]),
      ...(addressingStyle === 'auto' ? [] : [`AWS_S3_ADDRESSING_STYLE=${addressingStyle}`]),
      ...(customDomain === undefined ? [] : [`AWS_S3_CUSTOM_DOMAIN=${customDomain}`]),
    ]
      .map((line) => `  ${printable(line)}\n`)
      .join('')
  })
  const isPreview = setups.some(({ settings }) => settings.preview)
  const forFolder = `
Or bring a folder that no build made, such as media, without AWS_LOCATION:

  npx static-s3 sync DIR ${named}
  npx static-s3 check ${named}
`
  return `${pc.green('✓')} ${isChange ? 'set up' : 'already set up: nothing was changed'}

Set where you deploy${setups.length > 1 ? ', for one of the buckets' : ''}:

${variables.join('\n')}
Then build, and test the bucket as a visitor uses it:

  npm run build
  npx static-s3 check
${named && !isPreview ? printable(forFolder) : ''}`
}

function statusOf({ isNew, changes }: BucketSetup, dryRun = false): string {
  if (dryRun) return 'dry run'
  return isNew || changes.length > 0 ? 'set up' : 'unchanged'
}

function asData({ settings, isNew, changes, warnings }: BucketSetup): object {
  const { bucket, location, region, publicUrl } = settings
  const data = changes.map(({ part, removed, added }) => ({ part, removed, added }))
  return { bucket, location, region, publicUrl, create: isNew, changes: data, warnings }
}

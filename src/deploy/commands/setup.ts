import type { BucketConfiguration, PolicyDocument } from '../../bucket/configuration.js'
import type { Readers } from '../../policy/bucket.js'
import { plain, responseOf, StaticS3Error } from '../../runtime/error.js'
import type { Settings } from '../../settings/settings.js'
import {
  type BucketState,
  type Change,
  changesOf,
  emptyPolicy,
  newElsewhere,
  newOnAws,
  type Part,
  type Wanted,
} from '../../setup/changes.js'
import { concernsOf } from '../../setup/concerns.js'
import { differenceOf } from '../../setup/difference.js'

export { distributionArn } from '../../policy/names.js'

export interface SetupOptions {
  readers: Readers
  origins: readonly string[] | undefined
}

/** What a setup of one bucket does. Nothing is written yet. */
export interface BucketSetup {
  settings: Settings
  isNew: boolean
  changes: readonly Change[]
  /** Sentences: what the store lacks, and what the user should know before the changes. */
  warnings: string[]
  /** Lines: `+ …`, `- …`. */
  difference: string[]
  /** Carries out the changes. Returns the parts that the store does not support, in sentences. */
  apply(): Promise<string[]>
  close(): void
}

type Open = (settings: Settings) => Promise<{ configuration: BucketConfiguration; close(): void }>

/** @throws StaticS3Error if the bucket is in another region, or somebody else's, or if its configuration can't be read */
export async function prepareSetup(
  settings: Settings,
  { readers, origins }: SetupOptions,
  open: Open = async (each) => (await import('../../s3/configuration/s3-configuration.js')).openConfiguration(each),
): Promise<BucketSetup> {
  const { configuration, close } = await open(settings)
  try {
    const isNew = await findBucket(settings, configuration)
    const { state, lacks } = isNew ? newBucket(settings) : await readState(settings, configuration)
    const wanted: Wanted = { names: settings, readers, origins, usesAcl: usesAcl(settings) }
    const changes = changesOf(state, wanted)
    const creation = isNew ? ['', 'bucket', `+ s3://${settings.bucket} in ${settings.endpoint ?? settings.region}`] : []
    return {
      settings,
      isNew,
      changes,
      warnings: [...lacks, ...concernsOf(state, changes, wanted)],
      difference: [...creation, ...differenceOf(changes)],
      async apply() {
        // Somebody may have changed the bucket while the user read the difference.
        const now = isNew ? changes : changesOf((await readState(settings, configuration)).state, wanted)
        if (JSON.stringify(differenceOf(now)) !== JSON.stringify(differenceOf(changes))) {
          throw new StaticS3Error(`static-s3: s3://${settings.bucket} has changed meanwhile: run setup again.`)
        }
        return apply(isNew, now, settings, configuration)
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** True if the bucket does not exist. */
async function findBucket({ bucket, region }: Settings, configuration: BucketConfiguration): Promise<boolean> {
  const found = await configuration.region().catch((error) => {
    if (responseOf(error).status !== 403) throw error
    const whose = `s3://${bucket} exists. It may belong to somebody else: then set AWS_STORAGE_BUCKET_NAME to another name.`
    throw new StaticS3Error(`${error.message}\n${whose}`, { cause: error.cause })
  })
  if (found !== undefined && found !== region) {
    throw new StaticS3Error(
      `static-s3: s3://${bucket} is in ${found}, not in ${region}: set AWS_S3_REGION_NAME=${found}, or choose another AWS_STORAGE_BUCKET_NAME.`,
    )
  }
  return found === undefined
}

function newBucket({ endpoint }: Settings): { state: BucketState; lacks: string[] } {
  return { state: endpoint === undefined ? newOnAws : newElsewhere, lacks: [] }
}

function usesAcl({ objectParameters, rules }: Settings): boolean {
  return [objectParameters, ...rules.map(({ parameters }) => parameters)].some(({ ACL }) => ACL !== undefined)
}

const withoutPart: Record<Part, string> = {
  ownership: '',
  'public access block': '',
  'lifecycle rules': 'Parts of uploads that a killed deploy leaves stay in the bucket.',
  'CORS rules': 'Let pages of other origins use the files by its own settings, or at a CDN.',
  'bucket policy': 'Make the location public by its own settings, or by a custom domain.',
}

async function readState(
  { endpoint }: Settings,
  configuration: BucketConfiguration,
): Promise<{ state: BucketState; lacks: string[] }> {
  const lacks: string[] = []
  const read = async <T>(part: Part, value: Promise<T>): Promise<T | undefined> =>
    value.catch((error) => {
      if (!isLacking(part, error, endpoint)) throw error
      lacks.push(lackOf(part, error))
      return undefined
    })
  const isAws = endpoint === undefined
  const [policy, corsRules, lifecycleRules, ownership, publicAccessBlock] = await Promise.all([
    read<PolicyDocument>(
      'bucket policy',
      configuration.policy().then((found) => found ?? emptyPolicy()),
    ),
    read('CORS rules', configuration.corsRules()),
    read('lifecycle rules', configuration.lifecycleRules()),
    isAws ? configuration.ownership() : undefined,
    isAws ? configuration.publicAccessBlock() : undefined,
  ])
  return { state: { policy, corsRules, lifecycleRules, ownership, publicAccessBlock }, lacks }
}

/** True if the store does not have the part. AWS has policies, and answers 405 to other accounts. */
function isLacking(part: Part, error: unknown, endpoint: string | undefined): boolean {
  if (endpoint === undefined && part === 'bucket policy') return false
  const { status, code = '' } = responseOf(error)
  return status === 501 || status === 405 || /^(NotImplemented|MethodNotAllowed|UnsupportedOperation)$/.test(code)
}

function lackOf(part: Part, error: unknown): string {
  return `the store has no ${part} (${responseOf(error).code}). ${withoutPart[part]}`
}

async function apply(
  isNew: boolean,
  changes: readonly Change[],
  { bucket, endpoint }: Settings,
  configuration: BucketConfiguration,
): Promise<string[]> {
  const done: string[] = []
  const lacks: string[] = []
  const steps = changes.map(({ part, write }) => ({ part, write: () => write(configuration) }))
  const creation = { part: 'bucket' as const, write: () => configuration.create() }
  const all = isNew ? [creation, ...steps] : steps
  for (const [index, { part, write }] of all.entries()) {
    try {
      await write()
      done.push(part)
    } catch (error) {
      if (part !== 'bucket' && isLacking(part, error, endpoint)) {
        lacks.push(lackOf(part, error))
        continue
      }
      const { undone, open } = await undo(changes, done, configuration)
      const left = all.slice(index).map((each) => each.part)
      const kept = done.filter((each) => !undone.includes(each))
      const report = `s3://${bucket}: applied: ${kept.join(', ') || 'nothing'}. Not applied: ${[...undone, ...left].join(', ')}.`
      const next = `${open.length > 0 ? `Still open: ${open.join(', ')}. ` : ''}Then run setup again: it continues there.`
      throw new StaticS3Error(`static-s3: ${plain(error)}\n${report} ${next}`, { cause: error })
    }
  }
  return lacks
}

/** Closes what was opened for a change that failed. */
async function undo(
  changes: readonly Change[],
  done: readonly string[],
  configuration: BucketConfiguration,
): Promise<{ undone: string[]; open: string[] }> {
  const undone: string[] = []
  const open: string[] = []
  for (const { part, undo } of changes) {
    if (undo === undefined || !done.includes(part)) continue
    await undo(configuration).then(
      () => undone.push(part),
      () => open.push(part),
    )
  }
  return { undone, open }
}

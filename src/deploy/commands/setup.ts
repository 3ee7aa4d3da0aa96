import type { BucketConfiguration, PolicyDocument } from '../../bucket/configuration.js'
import { responseOf, StaticS3Error } from '../../runtime/error.js'
import { type Stop, unlessAborted, unstoppable } from '../../runtime/stop.js'
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
import { applyChanges, isLacking, lackOf } from './apply-setup.js'

export { distributionArn, locationSetting } from '../../policy/names.js'

export type SetupOptions = Pick<Wanted, 'readers' | 'isPublic' | 'origins'>

/** A planned setup of one bucket. Nothing is written yet. */
export interface BucketSetup {
  settings: Settings
  isNew: boolean
  changes: readonly Change[]
  /** The parts that the store lacks, and warnings before the changes. */
  warnings: string[]
  /** Lines: `+ …`, `- …`. */
  difference: string[]
  /** Carries out the changes. Returns the parts that the store does not support, in sentences. */
  apply(stop?: Stop): Promise<string[]>
  close(): void
}

type Open = (settings: Settings) => Promise<{ configuration: BucketConfiguration; close(): void }>

/** @throws StaticS3Error if the bucket is in another region, or somebody else's, or if its configuration can't be read */
export async function prepareSetup(
  settings: Settings,
  options: SetupOptions,
  open: Open = async (each) => (await import('../../s3/configuration/s3-configuration.js')).openConfiguration(each),
): Promise<BucketSetup> {
  const { configuration, close } = await open(settings)
  try {
    const isNew = await findBucket(settings, configuration)
    const { state, lacks } = isNew ? newBucket(settings) : await readState(settings, configuration)
    const wanted: Wanted = { names: settings, ...options, usesAcl: usesAcl(settings) }
    const changes = changesOf(state, wanted)
    const creation = isNew ? ['', 'bucket', `+ s3://${settings.bucket} in ${settings.endpoint ?? settings.region}`] : []
    return {
      settings,
      isNew,
      changes,
      warnings: [...lacks, ...concernsOf(state, changes, wanted)],
      difference: [...creation, ...differenceOf(changes)],
      async apply(stop = unstoppable) {
        // Somebody may have changed the bucket while the user read the difference.
        const read = async () => {
          if (isNew) return (await configuration.region()) === undefined ? changes : undefined
          return changesOf((await readState(settings, configuration)).state, wanted)
        }
        const now = await unlessAborted(stop.cut, read())
        if (!now || JSON.stringify(differenceOf(now)) !== JSON.stringify(differenceOf(changes))) {
          throw new StaticS3Error(`static-s3: s3://${settings.bucket} changed while setup asked: run it again.`)
        }
        return applyChanges(isNew, now, settings, configuration, stop)
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
    // Other refusals, such as of a wrong key or clock, come before the store looks at the bucket.
    if (responseOf(error).code !== 'AccessDenied') throw error
    const whose = `s3://${bucket} exists. If it belongs to somebody else, set AWS_STORAGE_BUCKET_NAME to another name.`
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

async function readState(
  { endpoint }: Settings,
  configuration: BucketConfiguration,
): Promise<{ state: BucketState; lacks: string[] }> {
  const lacks: string[] = []
  const read = async <T>(part: Part, value: Promise<T>): Promise<T | undefined> =>
    value.catch((error) => {
      if (responseOf(error).status === 405 && endpoint === undefined) {
        const whose = "Only users and roles of the bucket's own account may set it up."
        throw new StaticS3Error(`${error.message}\n${whose}`, { cause: error.cause })
      }
      if (!isLacking(error, endpoint)) throw error
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

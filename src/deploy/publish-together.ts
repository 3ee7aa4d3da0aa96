import { randomUUID } from 'node:crypto'
import { fileOf } from '../files/built-file.js'
import type { Classified } from '../files/classify.js'
import type { BuildFacts } from '../folders/build-file.js'
import type { RunPart } from '../release/write-record.js'
import type { Failure, Result } from '../report/result.js'
import { StaticS3Error } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'

/** What builds that are published together know of each other. */
export interface Together {
  /** All found files on the disk, by bucket and key. */
  files: Map<string, Map<string, string>>
  /** The builds of each output folder, if they are uploaded later. */
  kept: Map<string, BuildFacts[]>
  /** The deploys that have ended. */
  results: (Result | Failure)[]
  /** The id of the run, for records. */
  run: string
  locations: Map<string, LocationCounts>
}

/** How many builds of a location have been found, and how many of them released without a failure. */
interface LocationCounts {
  found: number
  released: number
  /** True if one of them went live with a release. */
  isLive: boolean
}

export function newTogether(): Together {
  return { files: new Map(), kept: new Map(), results: [], run: randomUUID(), locations: new Map() }
}

/** @returns the files of all builds in this bucket, by key */
export function addFiles(all: Together['files'], { files }: Classified, settings: Settings): Map<string, string> {
  const name = bucketName(settings)
  const byKey = all.get(name) ?? new Map()
  all.set(name, byKey)
  for (const file of files) byKey.set(file.key, fileOf(file))
  return byKey
}

export function locationOf({ locations }: Together, settings: Settings): LocationCounts {
  const name = `${bucketName(settings)} ${settings.location}`
  const counts = locations.get(name) ?? { found: 0, released: 0, isLive: false }
  locations.set(name, counts)
  return counts
}

/** Undefined for a build that is alone in its location. If an earlier build has failed, none is the last. */
export function runPartOf(together: Together, settings: Settings): RunPart | undefined {
  const { found, released } = locationOf(together, settings)
  if (found < 2) return undefined
  const files = together.files.get(bucketName(settings))
  return { id: together.run, isLast: released === found - 1, has: (key) => files?.has(key) ?? false }
}

const bucketName = ({ endpoint, bucket }: Settings) => `${endpoint} ${bucket}`

/** A deploy that goes live along with others. */
export interface Part {
  /** For the user. */
  name: string
  /** Finds the part's files, then checks them, then releases them. Returns true if the part is live. */
  steps: AsyncGenerator<void, boolean>
  stop(): void
}

/**
 * Takes each step of all parts before the next one: the checks of all parts come before the first release. Call `stopAll` afterwards.
 *
 * @throws StaticS3Error if a part cannot be published; later parts are then not published either
 */
export async function publishTogether(parts: readonly Part[]): Promise<void> {
  const live: string[] = []
  let rest: Part[] = []
  try {
    for (const _step of ['find', 'check', 'release']) {
      rest = [...parts]
      for (const { name, steps } of parts) {
        const { value: isLive } = await steps.next()
        if (isLive) live.push(name)
        rest.shift()
      }
    }
  } catch (error) {
    throw live.length > 0 ? withOthers(error, live, rest) : error
  }
}

export async function stopAll(parts: readonly Part[]): Promise<void> {
  for (const { stop } of parts) stop()
  for (const { steps } of parts) await steps.return(false)
}

/**
 * The error of a part's release, with the state of the other parts.
 *
 * @param rest the failed part, and the parts after it
 */
function withOthers(error: unknown, live: readonly string[], rest: readonly Part[]): unknown {
  if (!(error instanceof StaticS3Error)) return error
  const [failed, ...others] = rest.map(({ name }) => name)
  const notBegun = others.length > 0 ? ` Not begun: ${others.join(', ')}.` : ''
  return new StaticS3Error(
    `${error.message}\nThis is the state of ${failed}. Live already: ${live.join(', ')}.${notBegun} The next run brings up the missing files.`,
    { cause: error.cause },
  )
}

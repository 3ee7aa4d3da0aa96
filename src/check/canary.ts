import { type Bucket, bodyOfBytes, type ObjectParameters, type WrittenObject } from '../bucket/bucket.js'
import { isForbidden, refusedCondition } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'
import { prefixOf } from '../urls/paths.js'

/** Objects that only a check looks at. No page names them. */
export interface Canary {
  key: string
  /** Beside the records. */
  recordKey: string
  /** Another key in the location. */
  keyOf(name: string): string
  /** True if no other check has these keys, so that no cache knows them. */
  isFresh: boolean
  /** Parameters of a script's upload, as in a deploy. Without a lock: nobody could delete the object. */
  parameters(cache: 'fingerprinted' | 'other'): ObjectParameters
  recordParameters: ObjectParameters
  /** Writes as a deploy writes a new fingerprinted file, which a bucket policy may require for these names. */
  create(key: string, text: string, parameters: ObjectParameters): Promise<void>
  write(key: string, text: string, parameters: ObjectParameters): Promise<WrittenObject>
  copy(key: string, parameters: ObjectParameters): Promise<WrittenObject>
  /** Deletes all objects. Returns those that stay. */
  clean(): Promise<{ key: string; error: unknown }[]>
}

export interface CanaryInput {
  bucket: Bucket
  settings: Pick<Settings, 'location' | 'objectParameters' | 'cacheControl'>
  recordsFolder: string
  recordParameters: ObjectParameters
  /** Different in each run. */
  run: string
  /** Ends writes. Later than reads, because an aborted write may still be carried out. */
  cut: AbortSignal
}

export const canaryType = 'text/javascript; charset=utf-8'

/** Large enough that servers compress it. */
export const canaryText = (version: string): string =>
  `// static-s3 check wrote this file, version ${version}. No page uses it, and it may be deleted.\n`.repeat(40)

/** The names are new in each run. Without the right to delete, they are always the same, so that nothing piles up. */
export async function openCanary(input: CanaryInput): Promise<Canary> {
  const { bucket, settings, recordsFolder, recordParameters, run, cut } = input
  const prefix = prefixOf(settings.location)
  const keysOf = (id: string) => ({
    file: `${prefix}static-s3-check${id}`,
    recordKey: `${recordsFolder}check${id}.json`,
  })
  const own = keysOf(`-${run}`)
  // S3 also answers 403 for a missing key.
  const probes = await Promise.allSettled([bucket.delete(`${own.file}.js`), bucket.delete(own.recordKey)])
  const isFresh = probes.every(({ status }) => status === 'fulfilled')
  const { file, recordKey } = isFresh ? own : keysOf('')
  const objectParameters = Object.fromEntries(
    Object.entries(settings.objectParameters).filter(([name]) => !name.startsWith('ObjectLock')),
  )
  const written = new Set<string>()
  const write: Canary['write'] = (key, text, parameters) => {
    written.add(key)
    return bucket.put(key, bodyOfBytes(Buffer.from(text)), parameters, cut)
  }
  return {
    key: `${file}.js`,
    ...{ recordKey, isFresh, write },
    keyOf: (name) => `${file}-${name}.js`,
    recordParameters: { ...recordParameters, ContentType: 'application/json' },
    parameters: (cache) => ({
      ...objectParameters,
      ContentType: canaryType,
      CacheControl: settings.cacheControl[cache],
    }),
    async create(key, text, parameters) {
      try {
        await write(key, text, { ...parameters, IfNoneMatch: '*' })
      } catch (error) {
        const refused = refusedCondition(error)
        if (refused === undefined) throw error
        await write(key, text, parameters).catch((again) => {
          // An earlier check has created it, or this one did and the reply was lost.
          if (refused !== 'exists' || !isForbidden(again)) throw again
        })
      }
    },
    copy: (key, parameters) => bucket.copy(key, key, parameters, cut),
    async clean() {
      const left = await Promise.all(
        [...written].map(async (key) => {
          try {
            await bucket.delete(key)
            written.delete(key)
            return []
          } catch (error) {
            return [{ key, error }]
          }
        }),
      )
      return left.flat()
    },
  }
}

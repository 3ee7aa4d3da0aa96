import { type Bucket, bodyOfBytes, type ObjectParameters, type WrittenObject } from '../bucket/bucket.js'
import type { Settings } from '../settings/settings.js'

/** Objects that only a check looks at. No page names them. */
export interface Canary {
  /** The same in each run, so that it never piles up where nothing may be deleted. */
  key: string
  /** Beside the records. */
  recordKey: string
  /** Parameters of a script's upload, as in a deploy. */
  parameters(cache: 'fingerprinted' | 'other'): ObjectParameters
  recordParameters: ObjectParameters
  write(key: string, text: string, parameters: ObjectParameters): Promise<WrittenObject>
  copy(key: string, parameters: ObjectParameters): Promise<WrittenObject>
  delete(key: string): Promise<void>
  /** A key that no cache has seen, if the canaries can be deleted. */
  freshKey(name: string): string
  /** Deletes all that are left. */
  clean(): Promise<void>
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

export function openCanary({ bucket, settings, recordsFolder, recordParameters, run, cut }: CanaryInput): Canary {
  const prefix = settings.location === '' ? '' : `${settings.location}/`
  const written = new Set<string>()
  let canDelete = false
  const canary: Canary = {
    key: `${prefix}static-s3-check.js`,
    recordKey: `${recordsFolder}check.json`,
    recordParameters: { ...recordParameters, ContentType: 'application/json' },
    parameters: (cache) => ({
      ...settings.objectParameters,
      ContentType: canaryType,
      CacheControl: settings.cacheControl[cache],
    }),
    write(key, text, parameters) {
      written.add(key)
      return bucket.put(key, bodyOfBytes(Buffer.from(text)), parameters, cut)
    },
    copy: (key, parameters) => bucket.copy(key, key, parameters, cut),
    async delete(key) {
      await bucket.delete(key)
      written.delete(key)
      canDelete ||= key === canary.key
    },
    freshKey: (name) => `${prefix}static-s3-check-${canDelete ? `${run}-` : ''}${name}.js`,
    async clean() {
      await Promise.allSettled([...written].map((key) => canary.delete(key)))
    },
  }
  return canary
}

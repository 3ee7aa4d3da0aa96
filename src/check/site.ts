import type { Bucket } from '../bucket/bucket.js'
import type { BucketConfiguration } from '../bucket/configuration.js'
import type { Settings } from '../settings/settings.js'
import type { Canary } from './canary.js'
import type { Send } from './page-fetch.js'
import type { AllowedOrigins } from './page-origin.js'

/** Everything that the points look at. */
export interface Site {
  settings: Settings
  /** Django's, for files of its users. */
  mediaUrl: string | undefined
  credentials(): Promise<FoundCredentials>
  bucket: Bucket
  configuration: Pick<BucketConfiguration, 'lifecycleRules' | 'publicAccessBlock'>
  /** The bucket in the store, not on the custom domain. */
  bucketUrl: URL
  canary(): Promise<Canary>
  /** Sends a request without credentials. */
  send: Send
  allowed(): Promise<AllowedOrigins>
  tls(url: URL): Promise<TlsFacts>
  lastRelease(): Promise<LiveRelease | undefined>
  recordsFolder: string
  /** Different in each run. */
  run: string
  now(): number
}

export interface FoundCredentials {
  accessKeyId: string
  /** `AWS_ACCESS_KEY_ID in a .env file`, `the profile "web"`, `SSO` */
  source: string
  expiration?: Date | undefined
}

export interface TlsFacts {
  /** The protocol that the server picks if it may pick HTTP/2. */
  protocol: string
  validTo: Date
}

export interface LiveRelease {
  release: number
  /** By their keys. */
  files: ReadonlyMap<string, LiveFile>
}

export interface LiveFile {
  /** Bytes in the bucket. */
  size: number
  /** True if a CDN may keep it without asking the bucket. */
  isKept: boolean
}

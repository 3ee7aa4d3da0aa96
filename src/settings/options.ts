import type { ObjectParameters } from '../bucket/bucket.js'
import type { Variables } from './environment.js'

/** Headers for the files that `match`; a later rule wins over an earlier one, and any rule over everything else. */
export interface Rule {
  /**
   * Globs (picomatch) on the file's path inside the build's output folder, with `/` on every system. A glob without a slash
   * matches the file's name in any folder: `*.pdf`, `fonts/**`.
   */
  match: string | readonly string[]
  cacheControl?: string
  contentType?: string
  contentDisposition?: string
  contentEncoding?: string
  contentLanguage?: string
  /** A date, or what `new Date()` understands. */
  expires?: string | Date
  /** User metadata: names without `x-amz-meta-`. */
  metadata?: Record<string, string>
  storageClass?: string
  /** `key=value&key=value`; needs the right `s3:PutObjectTagging`. */
  tagging?: string
  websiteRedirectLocation?: string
  acl?: string
}

/** Everything can be left out: what isn't here comes from the environment, and what isn't there either has a default. */
export interface Options {
  /**
   * Whether this environment's production builds go to S3. A function gets the environment (shell and `.env` files) and the
   * mode.
   * @env `USE_S3`: 1, true, yes, on; or 0, false, no, off, empty
   * @default false
   */
  enabled?: boolean | ((environment: Variables, mode: string) => boolean)
  /**
   * The bucket's name. Required when enabled.
   * @env `AWS_STORAGE_BUCKET_NAME`
   */
  bucket?: string
  /**
   * The folder in the bucket that belongs to this build; an empty one is the bucket's root.
   * @env `AWS_LOCATION`
   * @default 'static'
   */
  location?: string
  /**
   * The bucket's region.
   * @env `AWS_S3_REGION_NAME`, `AWS_REGION`, `AWS_DEFAULT_REGION`
   * @default what the AWS SDK finds in its own configuration, else 'us-east-1'
   */
  region?: string
  /**
   * The domain that serves the bucket to browsers, such as a CloudFront distribution's: `cdn.example.com`.
   * @env `AWS_S3_CUSTOM_DOMAIN`
   * @default the bucket's own domain
   */
  customDomain?: string
  /**
   * The URL of an S3-compatible store.
   * @env `AWS_S3_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`
   * @default AWS
   */
  endpoint?: string
  /**
   * Whether the bucket's name stands in the host (`virtual`) or in the path (`path`). `auto` is `virtual` on AWS, and `path` with
   * an `endpoint` and for bucket names with dots, which AWS's wildcard certificate doesn't cover.
   * @env `AWS_S3_ADDRESSING_STYLE`
   * @default 'auto'
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
   */
  addressingStyle?: 'auto' | 'path' | 'virtual'
  /**
   * A canned ACL for every object. Buckets made since April 2023 refuse them: use a bucket policy.
   * @env `AWS_DEFAULT_ACL`
   * @default none
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
   */
  acl?: string
  /**
   * More PutObject parameters for every object, under S3's names: `{ StorageClass: 'STANDARD_IA' }`. A `CacheControl` that
   * caches for more than an hour is used for fingerprinted files only; a rule can say otherwise.
   * @env `AWS_S3_OBJECT_PARAMETERS` (JSON)
   * @default none
   * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
   */
  objectParameters?: ObjectParameters
  /**
   * Headers by file.
   * @default none
   */
  rules?: readonly Rule[]
  /**
   * Globs of the files that are uploaded (see `Rule.match`).
   * @default everything
   */
  include?: string | readonly string[]
  /**
   * Globs of files that aren't. Dotfiles (but `.well-known/`), private keys, source maps and bundle statistics never are.
   * @default none
   */
  exclude?: string | readonly string[]
  /**
   * `Cache-Control` of the files whose names the bundler made from their content, and of all others.
   * @default { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' }
   */
  cacheControl?: { fingerprinted?: string; other?: string }
  /**
   * What becomes of source maps: `exclude` leaves them on disk, `public` uploads them beside their files.
   * @default 'exclude'
   */
  sourceMaps?: 'exclude' | 'public'
  /**
   * `urls` makes every built URL point to the bucket and keeps `import.meta.env.BASE_URL`; `base` sets Vite's `base` itself;
   * `false` uploads and rewrites nothing. With webpack and Rspack the first two are the same: `output.publicPath`.
   * @default 'urls'
   */
  rewrite?: 'urls' | 'base' | false
  /**
   * Whether a fingerprinted name that stands in the bucket with other bytes is overwritten (with a warning) or is an error.
   * @env `AWS_S3_FILE_OVERWRITE`
   * @default true
   */
  fileOverwrite?: boolean
  /**
   * The most requests at once, 1 to 256. How many there are depends on the store and the line to it.
   * @env `STATIC_S3_CONCURRENCY`
   * @default 192
   */
  concurrency?: number
  /**
   * How long to wait while another deploy changes the same location, 0 to 86,400 seconds.
   * @default 300
   */
  lockTimeout?: number
  /**
   * Prints what would be done and writes nothing.
   * @default false
   */
  dryRun?: boolean
  /**
   * Uploads everything, unchanged or not.
   * @default false
   */
  force?: boolean
  /**
   * Whether an upload that failed fails the build, or is only a warning.
   * @default 'fail'
   */
  onError?: 'fail' | 'warn'
  /**
   * Names of variables whose values may be in uploaded files, though they stand in a `.env` file and are called `…SECRET…`, `…TOKEN…`,
   * `…PASSWORD…`, `…PASSWD…` or `…PRIVATE_KEY…`. A file with such a value stops the deploy. Those that begin with `VITE_` or `PUBLIC_`
   * are meant for the bundle, and always may.
   * @default none
   */
  allowSecrets?: string | readonly string[]
}

/** Every option's name: one that isn't here is an error. `satisfies` holds the list to the type. */
export const optionNames: readonly string[] = Object.keys({
  enabled: 0,
  bucket: 0,
  location: 0,
  region: 0,
  customDomain: 0,
  endpoint: 0,
  addressingStyle: 0,
  acl: 0,
  objectParameters: 0,
  rules: 0,
  include: 0,
  exclude: 0,
  cacheControl: 0,
  sourceMaps: 0,
  rewrite: 0,
  fileOverwrite: 0,
  concurrency: 0,
  lockTimeout: 0,
  dryRun: 0,
  force: 0,
  onError: 0,
  allowSecrets: 0,
} satisfies Record<keyof Options, 0>)

import type { ObjectParameters } from '../bucket/bucket.js'
import type { Result } from '../report/result.js'
import type { Variables } from './environment.js'

export type { Result } from '../report/result.js'

/** Headers for the files that `match`. A later rule beats an earlier one, and any rule beats the other options. */
export interface Rule {
  /**
   * Globs (picomatch) for paths in the output folder, as in `.gitignore`, with `/` on every system: a glob without a slash matches at any depth,
   * and a folder's name matches all files in it. `*.pdf`, `drafts`, `fonts/**`.
   */
  match: string | readonly string[]
  cacheControl?: string
  contentType?: string
  contentDisposition?: string
  contentEncoding?: string
  contentLanguage?: string
  /** A Date, or a string for `new Date()`. */
  expires?: string | Date
  /** User metadata: names without `x-amz-meta-`. */
  metadata?: Record<string, string>
  storageClass?: string
  /** `key=value&key=value`. Needs the permission `s3:PutObjectTagging`. */
  tagging?: string
  websiteRedirectLocation?: string
  acl?: string
}

/** All options are optional. An option beats its environment variable, and the variable beats the default. */
export interface Options {
  /**
   * Turns static-s3 on for this environment's production builds. A function gets the environment (shell and `.env` files) and the mode.
   * @env `USE_S3`: 1, true, yes, on; or 0, false, no, off, empty
   * @default false
   */
  enabled?: boolean | ((environment: Variables, mode: string) => boolean)
  /**
   * The bucket's name. Required if enabled.
   * @env `AWS_STORAGE_BUCKET_NAME`
   */
  bucket?: string
  /**
   * This build's folder in the bucket. An empty string is the bucket's root. In `previews/[branch]` and `builds/[commit]`, the branch or
   * commit replaces the placeholder.
   * @env `AWS_LOCATION`
   * @default 'static'
   */
  location?: string
  /**
   * The bucket's region.
   * @env `AWS_S3_REGION_NAME`, `AWS_REGION`, `AWS_DEFAULT_REGION`
   * @default the region in the AWS SDK's own configuration, or 'us-east-1'
   */
  region?: string
  /**
   * The domain under which browsers reach the bucket, such as a CloudFront distribution's: `cdn.example.com`.
   * @env `AWS_S3_CUSTOM_DOMAIN`
   * @default the bucket's own domain
   */
  customDomain?: string
  /**
   * The URL of an S3-compatible store.
   * @env `AWS_S3_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`
   * @default the `endpoint_url` of the AWS SDK's profile, or AWS
   */
  endpoint?: string
  /**
   * Puts the bucket's name into the host (`virtual`) or into the path (`path`). `auto` is `virtual` on AWS. With an `endpoint`, or a bucket name
   * with dots, which AWS's wildcard certificate does not cover, `auto` is `path`.
   * @env `AWS_S3_ADDRESSING_STYLE`
   * @default 'auto'
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
   */
  addressingStyle?: 'auto' | 'path' | 'virtual'
  /**
   * A canned ACL for every object. Buckets made since April 2023 refuse ACLs: use a bucket policy.
   * @env `AWS_DEFAULT_ACL`
   * @default none
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
   */
  acl?: string
  /**
   * More PutObject parameters for every object, under S3's names: `{ StorageClass: 'STANDARD_IA' }`. A `CacheControl` of more than an hour is
   * used for fingerprinted files only. A rule can change that.
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
   * Globs of the files to upload (see `Rule.match`). A glob that matches only files left out by default brings them back: `['**', 'report.html']`.
   * @default all files
   */
  include?: string | readonly string[]
  /**
   * Globs of files to leave out, even if `include` matches them. Dotfiles (except `.well-known/`), private keys, source maps and bundle
   * statistics are left out unless `include` names them.
   * @default none
   */
  exclude?: string | readonly string[]
  /**
   * `Cache-Control` of fingerprinted files, whose names the bundler made from their content, and of all other files.
   * @default { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' }
   */
  cacheControl?: { fingerprinted?: string; other?: string }
  /**
   * `exclude` leaves source maps out. `public` uploads each beside its file.
   * @default 'exclude'
   */
  sourceMaps?: 'exclude' | 'public'
  /**
   * Stores CSS, JavaScript, SVG and WebAssembly as gzip, with `Content-Encoding: gzip`, for a bucket without a CDN that compresses. If the build has
   * made `app.js.gz`, its bytes become the object of `app.js`.
   * @env `AWS_IS_GZIPPED`
   * @default false
   */
  compress?: boolean
  /**
   * `urls` makes every built URL point to the bucket and keeps `import.meta.env.BASE_URL`. `relative` does the same for pages, while scripts and
   * stylesheets refer to each other relatively: they are the same files under every domain and location. `base` sets Vite's `base` itself.
   * `false` uploads only. With webpack and Rspack, `urls` and `base` both set `output.publicPath`.
   * @default 'urls'
   */
  rewrite?: 'urls' | 'relative' | 'base' | false
  /**
   * `false` sends nothing and needs no credentials. URLs point to the bucket, and `static-s3 deploy DIR` uploads the output folder later, with
   * the bundler's knowledge in its `.static-s3.json`.
   * @env `STATIC_S3_UPLOAD`
   * @default true
   */
  upload?: boolean
  /**
   * `false` stages the release: its fingerprinted files go up, and visitors see nothing of it. `static-s3 activate` makes it live, for example when the
   * back end is ready.
   * @env `STATIC_S3_ACTIVATE`
   * @default true
   */
  activate?: boolean
  /**
   * Fetches an uploaded script and stylesheet through the public URL, as a browser would, before pages go up. `warn` prints the visitors' problems.
   * `fail` fails the deploy instead, before a page changes.
   * @env `STATIC_S3_VERIFY`
   * @default 'warn'
   */
  verify?: 'warn' | 'fail' | false
  /**
   * Overwrites an object of a fingerprinted name that has other bytes, with a warning. `false` makes this an error.
   * @env `AWS_S3_FILE_OVERWRITE`
   * @default true
   */
  fileOverwrite?: boolean
  /**
   * The largest number of simultaneous requests, 1 to 256. Their actual number follows the store and the line to it.
   * @env `STATIC_S3_CONCURRENCY`
   * @default 192
   */
  concurrency?: number
  /**
   * The longest wait for another deploy of the same location, 0 to 86,400 seconds.
   * @default 300
   */
  lockTimeout?: number
  /**
   * Deletes the files of expired releases after each release that goes live, as `static-s3 prune` does. A release is kept if it is among the newest
   * `releases`, or was live within the last `days`. The deployer needs the right to delete. `{}` keeps 10 releases and 30 days.
   * @default none: nothing is deleted
   */
  retention?: { releases?: number; days?: number }
  /**
   * Prints the plan and writes nothing.
   * @default false
   */
  dryRun?: boolean
  /**
   * A file for the deploy's results as JSON, such as `deploy.json` in the working directory: uploaded, updated, unchanged and left-out files,
   * release, public URL, time.
   * @default none
   */
  report?: string
  /**
   * Uploads unchanged files too.
   * @default false
   */
  force?: boolean
  /**
   * `fail` makes a failed upload fail the build. `warn` prints a warning instead.
   * @default 'fail'
   */
  onError?: 'fail' | 'warn'
  /**
   * The CloudFront distributions in front of the bucket. A release invalidates each file that it changes, if the file's earlier headers let
   * CloudFront keep it. Pages are `no-cache`, and need no invalidation at a minimum TTL of 0. With `wait`, the deploy waits until CloudFront has
   * completed the invalidation.
   * @env `AWS_CLOUDFRONT_DISTRIBUTION_ID`: one ID, or several with commas
   * @default none
   */
  cloudfront?: { distributionId: string | readonly string[]; wait?: boolean }
  /**
   * Called once for each release of a build that is live, to inform other CDNs or a chat. The deploy waits for its promise. If it fails, the
   * deploy warns, because the release is live. Staged and unchanged deploys and dry runs do not call it, and no command does.
   * @default none
   */
  onReleased?: (result: Result) => unknown
  /**
   * Names of variables whose values uploaded files may contain. Without it, a file stops the deploy if it contains the value of a `.env` variable
   * whose name ends like `…SECRET`, `…TOKEN`, `…PASSWORD` or `…KEY`, or the password in a URL there. Variables that begin with `VITE_` or
   * `PUBLIC_` are always allowed, because bundlers publish them.
   * @default none
   */
  allowSecrets?: string | readonly string[]
  /**
   * Globs of missing files (see `Rule.match`) that built files may refer to in the bucket. Any other URL that names no file stops the deploy.
   * @default none
   */
  allowMissing?: string | readonly string[]
}

/** Every option's name. `satisfies` makes the list complete. */
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
  compress: 0,
  rewrite: 0,
  upload: 0,
  activate: 0,
  verify: 0,
  fileOverwrite: 0,
  concurrency: 0,
  lockTimeout: 0,
  retention: 0,
  dryRun: 0,
  report: 0,
  force: 0,
  onError: 0,
  cloudfront: 0,
  onReleased: 0,
  allowSecrets: 0,
  allowMissing: 0,
} satisfies Record<keyof Options, 0>)

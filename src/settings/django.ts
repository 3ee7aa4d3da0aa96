import { dirname, join, relative } from 'node:path'
import { orUndefined } from '../runtime/or-undefined.js'
import { type Environment, envFiles, readEnvFile } from './environment.js'
import type { Options } from './options.js'
import { asBoolean, type SettingReader } from './setting-reader.js'

/** Refuses settings of django-storages that would break static files. */
export function refuseDjangoSettings(read: SettingReader): void {
  const signed = read.variable('AWS_QUERYSTRING_AUTH')
  if (signed && read.boolean(undefined, [signed.name], false)) {
    read.problem(signed, 'turn it off, because signed URLs expire before files that are cached for a year')
  }
  const signature = read.variable('AWS_S3_SIGNATURE_VERSION')
  if (signature && signature.value !== 's3v4') {
    read.problem(signature, 'use "s3v4", the only signature that S3 accepts everywhere')
  }
  const verify = read.variable('AWS_S3_VERIFY')
  if (verify && asBoolean(verify.value) !== true) {
    read.problem(
      verify,
      'turn it on, because TLS is always verified (NODE_EXTRA_CA_CERTS=file.pem adds a certificate authority)',
    )
  }
  const types = read.variable('GZIP_CONTENT_TYPES')
  if (types && asBoolean(read.variable('AWS_IS_GZIPPED')?.value) === true)
    read.warn(types, 'it is not read, and `compress` gzips CSS, JavaScript, SVG and WebAssembly')
}

interface OtherNames {
  option?: keyof Options
  /** The variables that static-s3 reads; a hint names the first. */
  reads: string[]
  /** Names from other tools, and common mistakes. */
  others: string
  /** Values that mean the default. */
  harmless?: RegExp
}

const otherNames: OtherNames[] = [
  {
    option: 'bucket',
    reads: ['AWS_STORAGE_BUCKET_NAME'],
    others: 'AWS_BUCKET AWS_BUCKET_NAME AWS_S3_BUCKET AWS_S3_BUCKET_NAME AWS_STORAGE_BUCKET S3_BUCKET S3_BUCKET_NAME',
  },
  {
    option: 'location',
    reads: ['AWS_LOCATION'],
    others: 'STATICFILES_LOCATION STATIC_LOCATION AWS_STATIC_LOCATION AWS_STATIC_DIR AWS_S3_LOCATION',
    harmless: /^(\/?static\/?)?$/,
  },
  {
    option: 'endpoint',
    reads: ['AWS_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL'],
    others: 'AWS_S3_HOST AWS_S3_ENDPOINT AWS_S3_URL AWS_ENDPOINT S3_ENDPOINT S3_ENDPOINT_URL',
  },
  {
    option: 'region',
    reads: ['AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    others: 'AWS_S3_REGION AWS_REGION_NAME S3_REGION',
  },
  {
    option: 'customDomain',
    reads: ['AWS_S3_CUSTOM_DOMAIN'],
    others: 'AWS_CUSTOM_DOMAIN AWS_S3_DOMAIN AWS_CLOUDFRONT_DOMAIN CLOUDFRONT_DOMAIN AWS_CDN_DOMAIN',
  },
  {
    option: 'cloudfront',
    reads: ['AWS_CLOUDFRONT_DISTRIBUTION_ID'],
    others: 'AWS_CLOUDFRONT_DISTRIBUTION_IDS AWS_CLOUDFRONT_DISTRIBUTION AWS_CLOUDFRONT_ID AWS_DISTRIBUTION_ID',
  },
  {
    reads: ['AWS_S3_URL_PROTOCOL'],
    others: 'AWS_S3_SECURE_URLS AWS_S3_USE_SSL',
    harmless: /^(1|true|yes|on)?$/i,
  },
  {
    option: 'objectParameters',
    reads: ['AWS_S3_OBJECT_PARAMETERS'],
    others: 'AWS_HEADERS AWS_S3_ENCRYPTION AWS_REDUCED_REDUNDANCY',
  },
  {
    option: 'addressingStyle',
    reads: ['AWS_S3_ADDRESSING_STYLE'],
    others: 'AWS_S3_CALLING_FORMAT AWS_S3_FORCE_PATH_STYLE S3_FORCE_PATH_STYLE',
  },
  { option: 'acl', reads: ['AWS_DEFAULT_ACL'], others: 'AWS_BUCKET_ACL AWS_S3_DEFAULT_ACL AWS_ACL' },
  { reads: ['AWS_ACCESS_KEY_ID', 'AWS_S3_ACCESS_KEY_ID', 'AWS_PROFILE'], others: 'AWS_ACCESS_KEY AWS_S3_ACCESS_KEY' },
  {
    reads: ['AWS_SECRET_ACCESS_KEY', 'AWS_S3_SECRET_ACCESS_KEY', 'AWS_PROFILE'],
    others: 'AWS_SECRET_KEY AWS_ACCESS_SECRET_KEY AWS_SECRET AWS_S3_SECRET_KEY',
  },
]

/** Warns about a variable that static-s3 does not read, if the setting that it resembles is not set. */
export function hintAtOtherNames(read: SettingReader, { all }: Environment): void {
  for (const { option, reads, others, harmless = /^(none|false|0|\{\}|)$/i } of otherNames) {
    if (read.isSet(option, []) || reads.some((name) => all[name] !== undefined)) continue
    const other = others.split(' ').find((name) => !harmless.test(all[name]?.trim() ?? ''))
    if (other) read.warnings.push(`${other} is not read: the name here is ${reads[0]}`)
  }
}

/** Warns if Django's templates would use other URLs than the build. */
export function hintAtStaticUrl(read: SettingReader, publicUrl: string): void {
  const found = read.variable('STATIC_URL')
  if (!found) return
  const theirs = `${found.value.replace(/^\/\//, `${new URL(publicUrl).protocol}//`).replace(/\/+$/, '')}/`
  if (theirs !== publicUrl) read.warn(found, `but the build's URLs begin with ${publicUrl}`)
}

/** The places searched for USE_S3, and a `.env` file further up that sets it, such as Django's. */
export function whereSearched({ dir }: Environment, mode: string): string {
  if (dir === undefined) return ''
  const searched = `, in the shell or in .env files of ${dir}`
  const foldersAbove = ['..', '../..', '../../..'].map((up) => join(dir, up))
  const file = foldersAbove
    .flatMap((folder) => envFiles(mode).map((name) => join(folder, name)))
    // A file above the project may have any content.
    .find((path) => asBoolean(orUndefined(() => readEnvFile(path))?.USE_S3) === true)
  if (file === undefined) return searched
  const [shown, folder] = [file, dirname(file)].map((path) => relative(dir, path).replaceAll('\\', '/'))
  return `${searched}; ${shown} sets it: with Vite, set envDir: '${folder}', otherwise set USE_S3 in the shell`
}

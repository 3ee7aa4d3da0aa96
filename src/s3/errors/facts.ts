import { redact } from '../../runtime/redact.js'
import { type ExplainContext, hasAcl, listPolicy, permissionsOf, resourceOf, sentParameters } from './request.js'
import type { S3Error } from './s3-error.js'

type Fact = (error: S3Error, context: ExplainContext) => string

/** Codes of our own, which mean nothing to the user. */
const HIDDEN = ['', 'NoS3Response', 'InvalidRegion']

/** Fills the facts into the template. A fact may be empty; otherwise it includes its own leading space or comma. */
export function fill(template: string, error: S3Error, context: ExplainContext): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => (FACTS[name] as Fact)(error, context))
}

const FACTS: Record<string, Fact> = {
  code: ({ code }) => (HIDDEN.includes(code) ? '' : ` (${code})`),
  status: ({ status = 500 }) => String(status),
  withStatus: ({ status }) => (status === undefined ? '' : ` with status ${status}`),
  message: ({ message }) => redact(message, []),
  said,
  statusOrSaid: (error, context) => {
    if (error.status !== undefined) return ` (status ${error.status})`
    // OpenSSL's messages do not help users.
    return /^E/.test(error.code) ? '' : said(error, context)
  },
  requestId: ({ requestId }) => (requestId === '' ? '' : ` S3's request id: ${requestId}.`),
  attempts: (_error, { attempts }) => (attempts > 1 ? `, after ${attempts} attempts` : ''),
  store: (_error, { endpoint, region, request }) =>
    request.verb === 'INVALIDATE' ? 'CloudFront' : (endpoint ?? `S3 in ${region}`),
  bucket: (_error, { bucket }) => bucket,
  region: (_error, { region }) => region,
  endpoint: (_error, { endpoint = '' }) => endpoint,
  profile: (_error, { profile = 'default' }) => profile,
  login: (_error, { profile }) => `\`aws sso login${profile === undefined ? '' : ` --profile ${profile}`}\``,
  largest: (_error, { endpoint }) => (endpoint ? 'the store allows' : '5 GiB'),
  keyBytes: (_error, { request }) => ('key' in request ? `: the key has ${Buffer.byteLength(request.key)} bytes` : ''),
  header: ({ message }) => /\["([\w-]+)"\]/.exec(message)?.[1]?.replace(/^/, ': ') ?? '',
  fileError: ({ field, message }) => field('errnoCode') || message,
  clock: (error) => clockOffset(error) ?? 'more than 15 minutes off',
  stsAction: ({ message }) => /\bsts:\w+/.exec(message)?.[0] ?? 'sts:AssumeRole',
  regionThere: (error) => regionOf(error) ?? '',

  // Permissions
  needs: ({ message }, context) => {
    const [, action] = /not authorized to perform: ([\w-]{1,40}:\w{1,80})/.exec(message) ?? []
    const [, resource] = /on resource: "?([^"\s\p{Cc}]{1,1100})/u.exec(message) ?? []
    if (!action) return permissionsOf(context)
    return `${action} on ${resource && redact(resource, []) === resource ? resource : resourceOf(context)}`
  },
  /** AWS's message only repeats the request. Other stores may give a reason. */
  sentence: (error, context) =>
    /^(access denied|forbidden)?\.?$|not authorized to perform/i.test(error.message) ? '' : said(error, context),
  howToAllow: (error, context) =>
    HINTS.flatMap(([applies, hint]) => (applies(error, context) ? [hint(error, context)] : [])).join(' '),
  refuses: ({ status }) => (status === 501 || status === 405 ? 'does not support' : 'refuses'),
  checkRequest: (_error, context) => {
    const sent = Object.keys(sentParameters(context)).join(', ')
    return sent === ''
      ? 'Check the settings, above all AWS_S3_ENDPOINT_URL.'
      : `The request had ${sent}: check AWS_S3_OBJECT_PARAMETERS and the rules.`
  },

  // Network
  host: (error) => hostOf(error) && `: ${hostOf(error)}`,
  proxy: ({ field }) => field('proxy'),
  proxyName: ({ field }) => field('proxy') && ` ${field('proxy')}`,
  tunnel: ({ field }, { endpoint, region }) => field('service') || (endpoint ?? `S3 in ${region}`),
  whyUnreachable: (error) =>
    `${error.code === 'ECONNREFUSED' ? 'nothing listens there' : 'no such host, or no network'}${hostOf(error) && `: ${hostOf(error)}`}`,
  checkHost: (error, { bucket, endpoint }) => {
    if (!endpoint) return 'Check the network and AWS_S3_REGION_NAME.'
    return hostOf(error).startsWith(`${bucket}.`)
      ? 'If the store has no host name for each bucket, set AWS_S3_ADDRESSING_STYLE=path.'
      : 'Check the network and AWS_S3_ENDPOINT_URL.'
  },
  checkEndpoint: (_error, { endpoint }) =>
    endpoint
      ? 'Check AWS_S3_ENDPOINT_URL: http or https, the port, and that it is not the address of a web interface.'
      : 'It may come from a proxy or firewall.',
  target: (error, context) => {
    const url = redirectOf(error, context)
    return url ? ` to ${url.origin}${url.pathname.slice(0, 200)}` : ''
  },
  checkRedirect: (error, context) => {
    const { endpoint } = context
    if (!endpoint) return 'It may come from a proxy, or from the sign-in page of a network.'
    const url = redirectOf(error, context)
    return url?.hostname === new URL(endpoint).hostname && url.origin !== new URL(endpoint).origin
      ? `Set AWS_S3_ENDPOINT_URL=${url.origin}.`
      : "Set AWS_S3_ENDPOINT_URL to the store's own address, which answers without a redirect."
  },
}

/** Hints about permissions. The message gets every hint that applies. */
const HINTS: [applies: (error: S3Error, context: ExplainContext) => boolean, hint: Fact][] = [
  [
    ({ message }) => denyIn(message) !== undefined,
    ({ message }) =>
      `It fails ${denyIn(message)}, and a Deny beats every Allow: change that statement, or send what it asks for.`,
  ],
  [({ message }) => denyIn(message) === undefined, () => 'Allow it in the policy of the user or role.'],
  [
    ({ message }, { request }) => ['DELETE', 'TAG'].includes(request.verb) && denyIn(message) === undefined,
    (_error, { request }) => `static-s3 policy iam --${request.verb === 'TAG' ? 'tag' : 'prune'} prints the rights.`,
  ],
  [
    ({ message }, { request }) => request.verb === 'LIST' && denyIn(message) === undefined,
    (_error, context) => `If a condition on s3:prefix limits it, allow both prefixes: ${listPolicy(context)}.`,
  ],
  [
    ({ message }, context) =>
      hasAcl(sentParameters(context)) || (context.request.verb === 'PUT' && /block ?public/i.test(message)),
    () =>
      'The bucket may also block public ACLs: remove AWS_DEFAULT_ACL, and make the files public by a bucket policy.',
  ],
  [
    ({ message }, { request }) => request.verb === 'CONFIGURATION' && /block ?public/i.test(message),
    () =>
      'The account or organization may block public policies for all its buckets: have that changed, or keep the bucket private with --cloudfront.',
  ],
  [
    ({ message }, context) =>
      context.request.verb === 'PUT' && (denyIn(message) !== undefined || /encrypt/i.test(message)),
    () => 'A policy that requires encryption needs ServerSideEncryption in AWS_S3_OBJECT_PARAMETERS.',
  ],
  [
    ({ message }, context) =>
      String(sentParameters(context).ServerSideEncryption ?? '').startsWith('aws:kms') &&
      !/authorized to/.test(message),
    () => 'KMS also needs kms:GenerateDataKey and kms:Decrypt on the key.',
  ],
  [
    (_error, { request, endpoint }) => request.verb === 'PUT' && endpoint !== undefined,
    () => 'Ceph also denies it if the bucket has a public access block: remove that.',
  ],
  [
    (_error, { request }) => request.verb === 'GET',
    () => 'Without s3:ListBucket, S3 also denies access to missing objects.',
  ],
]

function denyIn(message: string): string | undefined {
  return /with an explicit deny in an? [\w -]+ policy/.exec(message)?.[0]
}

/** The store's message, redacted and shortened. The SDK writes "UnknownError" if the store sends none. */
function said({ message }: S3Error, { secrets }: ExplainContext): string {
  const sentence = redact(message, secrets)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '')
  if (sentence === '' || sentence === 'UnknownError') return ''
  return `: ${sentence.length > 300 ? `${sentence.slice(0, 300)}…` : sentence}`
}

/** AWS names the bucket's region in a header or in the error document, R2 and Garage only in the message. */
export function regionOf({ header, field, message }: S3Error): string | undefined {
  const named =
    header('x-amz-bucket-region') ||
    field('Region') ||
    (/expecting '([^']+)'/.exec(message)?.[1] ??
      /^(?:https?:\/\/)?(?:.+\.)?s3[.-]([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com/.exec(field('Endpoint'))?.[1])
  return named && /^[a-z0-9-]{1,40}$/.test(named) ? named : undefined
}

function hostOf({ field }: S3Error): string {
  return field('hostname') || field('address')
}

function redirectOf({ header }: S3Error, { endpoint }: ExplainContext): URL | undefined {
  const target = header('location')
  return target !== '' && URL.canParse(target, endpoint) ? new URL(target, endpoint) : undefined
}

/** S3 returns the signed time of the request, in a compact form that Date can't parse, and its own time. */
function clockOffset({ field }: S3Error): string | undefined {
  const compact = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
  const ours = Date.parse(field('RequestTime').replace(compact, '$1-$2-$3T$4:$5:$6Z'))
  const minutes = Math.round((ours - Date.parse(field('ServerTime'))) / 60_000)
  if (Number.isNaN(minutes) || minutes === 0) return undefined
  const size = Math.abs(minutes)
  const span =
    size < 120 ? `${size} minutes` : size < 2880 ? `${Math.round(size / 60)} hours` : `${Math.round(size / 1440)} days`
  return `${span} ${minutes < 0 ? 'behind' : 'ahead of'} S3's`
}

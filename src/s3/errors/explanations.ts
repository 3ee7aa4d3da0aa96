import { forSlowLine } from '../../runtime/error.js'
import { type ExplainContext, hasAcl, parametersOf, permissionsOf, resourceOf } from './request.js'
import type { Kind, S3Error } from './s3-error.js'
import { redact } from './s3-error.js'

/** The message becomes `PUT key to s3://bucket: fact (Code). Remedy` */
export type Explanation = [fact: string, remedy: string]

type Explain = (error: S3Error, context: ExplainContext) => Explanation

export function explanationFor(error: S3Error, context: ExplainContext): Explanation {
  const explain = explainerOf(error)
  return typeof explain === 'function' ? explain(error, context) : explain
}

function explainerOf({ code, status, kind, message }: S3Error): Explain | Explanation {
  if (code === 'AccessDenied' && /\bsts:/.test(message)) return roleRefused
  const known = BY_CODE.get(code)
  if (known) return known
  if (code.startsWith('KMS.')) return keyUnusable
  if (/CERT|SIGNATURE/.test(code) && status === undefined) return untrustedCertificate
  if (code.startsWith('ERR_SSL_') || /XML parse error/.test(message)) return noS3
  if (/not a valid hostname component/.test(message)) return badRegion
  if (status === 407) return proxyRefused
  if (status === 301 || status === 307) return otherRegion
  if (status === 403 && code === '') return refusedWithoutCode
  return (kind && BY_KIND[kind]) ?? anythingElse
}

const accessDenied: Explain = ({ message }, context) => {
  const [, action] = /not authorized to perform: ([\w-]{1,40}:\w{1,80})/.exec(message) ?? []
  const [, resource] = /on resource: "?([^"\s\p{Cc}]{1,1100})/u.exec(message) ?? []
  const [deny] = /with an explicit deny in an? [\w -]+ policy/.exec(message) ?? []
  const named = resource && !/\b(?:AKIA|ASIA)[A-Z0-9]{8,}/.test(resource) ? resource : resourceOf(context)
  const parameters = parametersOf(context)
  const hints = [
    deny
      ? `It fails ${deny}, and a Deny beats every Allow: change that statement.`
      : 'Allow it in the policy of the user or role.',
  ]
  if (hasAcl(parameters)) hints.push(`The bucket may also block public ACLs: ${WITHOUT_ACL}`)
  if (String(parameters.ServerSideEncryption ?? '').startsWith('aws:kms') && !action) {
    hints.push('KMS also needs kms:GenerateDataKey and kms:Decrypt on the key.')
  }
  if (context.request.verb === 'GET') hints.push('Without s3:ListBucket, S3 also denies access to missing objects.')
  return [`access denied; it needs ${action ? `${action} on ${named}` : permissionsOf(context)}`, hints.join(' ')]
}

const WITHOUT_ACL = 'remove AWS_DEFAULT_ACL, and make the files public by a bucket policy.'

const roleRefused: Explain = ({ message }) => [
  `the role can't be assumed; ${/\bsts:\w+/.exec(message)?.[0] ?? 'sts:AssumeRole'} is refused`,
  "Check AWS_ROLE_ARN and the role's trust policy: with OIDC, its conditions must match this repository and branch.",
]

const refusedWithoutCode: Explanation = [
  'status 403 without an error code of S3',
  'The response may come from a proxy or firewall: check it, and AWS_S3_ENDPOINT_URL.',
]

const otherRegion: Explain = (error, { bucket, region }) => {
  const named = regionIn(error)
  if (named !== undefined && named !== region) {
    return [`the bucket is in ${named}, not in ${region}`, `Set AWS_S3_REGION_NAME=${named}.`]
  }
  return [
    `the bucket is in another region than ${region}`,
    `Set AWS_S3_REGION_NAME to the region that \`aws s3api get-bucket-location --bucket ${bucket}\` prints.`,
  ]
}

/** AWS names the region in a header or in the error document, R2 and Garage only in the message. */
function regionIn({ header, field, message }: S3Error): string | undefined {
  const named =
    header('x-amz-bucket-region') ||
    field('Region') ||
    (/expecting '([^']+)'/.exec(message)?.[1] ??
      /^(?:https?:\/\/)?(?:.+\.)?s3[.-]([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com/.exec(field('Endpoint'))?.[1])
  return named && /^[a-z0-9-]{1,40}$/.test(named) ? named : undefined
}

const malformedAuthorization: Explain = (error, context) =>
  regionIn(error) !== undefined || /region/i.test(error.message)
    ? otherRegion(error, context)
    : [
        'the store cannot read the signature',
        'Check the credentials for stray spaces, quotes and line breaks, and AWS_S3_REGION_NAME (auto for R2).',
      ]

const expired: Explain = (_error, context) => [
  'the temporary credentials have expired',
  `Run ${ssoLogin(context)}, or let the CI job assume its role shortly before the build.`,
]

const noCredentials: Explain = ({ message }, context) => {
  const { profile } = context
  if (/\bsso\b/i.test(message)) return ['there is no valid SSO session', `Run ${ssoLogin(context)}.`]
  if (profile === undefined) {
    return [
      'no AWS credentials were found',
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (`aws sso login`, `aws configure`), or run where a role has them: GitHub Actions with OIDC, ECS, EC2.',
    ]
  }
  return [
    `the profile "${profile}" is not in ~/.aws/config or ~/.aws/credentials, or has no credentials`,
    'Check AWS_PROFILE: `aws configure list-profiles` prints all profiles.',
  ]
}

const ssoLogin = ({ profile }: ExplainContext) =>
  `\`aws sso login${profile === undefined ? '' : ` --profile ${profile}`}\``

const unreachable: Explain = (error, context) => {
  const { bucket, endpoint } = context
  const host = error.field('hostname') || error.field('address')
  const why = error.code === 'ECONNREFUSED' ? 'nothing listens there' : 'no such host, or no network'
  const remedy = !endpoint
    ? 'Check the network and AWS_S3_REGION_NAME.'
    : host.startsWith(`${bucket}.`)
      ? 'If the store has no host name for each bucket, set AWS_S3_ADDRESSING_STYLE=path.'
      : 'Check the network and AWS_S3_ENDPOINT_URL.'
  return notReached(error, context) ?? [`${storeOf(context)} can't be reached: ${why}${host && `: ${host}`}`, remedy]
}

const timedOut: Explain = (error, context) =>
  notReached(error, context) ?? [
    `${storeOf(context)} did not answer in time${afterAttempts(context)}`,
    `Check the network, a firewall or proxy on the way${context.endpoint ? ', and AWS_S3_ENDPOINT_URL' : ''}. ${forSlowLine}`,
  ]

/** S3 waits some 20 seconds for the next bytes of a body. */
const tooSlow: Explain = (_error, context) => [
  `the upload was too slow for ${storeOf(context)}${afterAttempts(context)}`,
  forSlowLine,
]

/** If not S3 failed, but the proxy or the service behind the credentials: STS, the SSO portal or a metadata service. */
function notReached({ field }: S3Error, { request }: ExplainContext): Explanation | undefined {
  const host = field('hostname') || field('address')
  if (request.verb === 'CREDENTIALS') {
    return [
      `the service for the credentials can't be reached${host && `: ${host}`}`,
      'Check the network to STS or the SSO portal, and AWS_ENDPOINT_URL_STS if it is set.',
    ]
  }
  return field('proxy') === '' ? undefined : [`the proxy ${field('proxy')} can't be reached`, CHECK_PROXY]
}

const CHECK_PROXY =
  'Check HTTPS_PROXY and HTTP_PROXY, with user and password. NO_PROXY names the hosts to reach without a proxy.'

const proxyRefused: Explain = (error, context) => {
  const proxy = `the proxy ${error.field('proxy')}`.trim()
  return [`${proxy} refuses the connection to ${storeOf(context)}${quoteMessage(error, context)}`, CHECK_PROXY]
}

const untrustedCertificate: Explain = ({ code }, context) => {
  const certificate = `the certificate of ${storeOf(context)}`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return [
      `${certificate} is for another host name`,
      'For a bucket name with dots, set AWS_S3_ADDRESSING_STYLE=path; otherwise check AWS_S3_ENDPOINT_URL.',
    ]
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return [`${certificate} has expired or is not valid yet`, "Renew it, or set this machine's clock."]
  }
  return [
    `${certificate} can't be verified`,
    'Behind a proxy, or with your own certificate authority, set NODE_EXTRA_CA_CERTS to its certificate file (Node ignores AWS_CA_BUNDLE).',
  ]
}

const noS3: Explain = (error, context) => {
  const { status, code } = error
  // OpenSSL's messages help nobody.
  const reason = /^E/.test(code) ? '' : quoteMessage(error, context)
  return [
    `the response from ${storeOf(context)} is not S3's${status === undefined ? reason : ` (status ${status})`}`,
    context.endpoint
      ? 'Check AWS_S3_ENDPOINT_URL: http or https, the port, and that it is not the address of a web interface.'
      : 'It may come from a proxy or firewall.',
  ]
}

const badRegion: Explain = (_error, { region }) => [
  `"${region}" is no region`,
  "Set AWS_S3_REGION_NAME to the bucket's region, such as eu-west-1.",
]

const keyTooLong: Explain = (_error, { request }) => [
  'the key is longer than 1,024 bytes, or the store does not allow its characters',
  `Shorten AWS_LOCATION or the file name${'key' in request ? `: the key has ${Buffer.byteLength(request.key)} bytes` : ''}.`,
]

const accountTrouble: Explain = (error, context) => [
  `the account does not allow it${quoteMessage(error, context)}`,
  'Billing or a suspension may be the reason: check the account at its provider.',
]

const rejected: Explain = (error, context) => {
  const sent = Object.keys(parametersOf(context)).join(', ')
  const verb = error.status === 501 || error.status === 405 ? 'does not support' : 'refuses'
  return [
    `the store ${verb} the request${quoteMessage(error, context)}`,
    sent === ''
      ? `Check the settings, above all AWS_S3_ENDPOINT_URL.${requestId(error)}`
      : `The request had ${sent}: check AWS_S3_OBJECT_PARAMETERS and the rules.`,
  ]
}

const keyUnusable: Explain = (error, context) => [
  `the KMS key can't be used${quoteMessage(error, context)}`,
  "SSEKMSKeyId must name an enabled key in the bucket's region, and kms:GenerateDataKey and kms:Decrypt must be allowed on it.",
]

const anythingElse: Explain = (error, context) => [
  `failed${error.status === undefined ? '' : ` with status ${error.status}`}${afterAttempts(context)}${quoteMessage(error, context)}`,
  `https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists S3's codes.${requestId(error)}`,
]

const BY_KIND: Partial<Record<Kind, Explain>> = {
  throttled: (_error, context) => [
    `${storeOf(context)} asks to slow down${afterAttempts(context)}`,
    `Lower concurrency. ${RUN_AGAIN}`,
  ],
  serverTrouble: (error, context) => [
    `${storeOf(context)} is in trouble (status ${error.status ?? 500})${afterAttempts(context)}`,
    `${RUN_AGAIN}${requestId(error)}`,
  ],
  clientTooSlow: tooSlow,
  skewed: (error) => [
    `this machine's clock is ${clockOffset(error) ?? 'more than 15 minutes off'}`,
    'Set it by a time server (NTP); in a virtual machine or WSL, restart it.',
  ],
  damaged: (_error, context) => [
    `the content arrived damaged${afterAttempts(context)}; the old object stands`,
    'The file changed during the upload (build again), or a proxy changes the content.',
  ],
  cut: (_error, context) => [
    `the connection to ${storeOf(context)} broke off${afterAttempts(context)}`,
    `Check the network. ${RUN_AGAIN}`,
  ],
  unreachable,
  silent: timedOut,
}

const RUN_AGAIN = 'Run it again later: uploaded files are skipped.'

/** Keys are codes, separated by spaces. */
const EXPLANATIONS: Record<string, Explain | Explanation> = {
  'AccessDenied Forbidden': accessDenied,
  KMSAccessDeniedException: keyUnusable,
  NoSuchBucket: (_error, context) => [
    `there is no bucket "${context.bucket}" at ${storeOf(context)}`,
    'Check AWS_STORAGE_BUCKET_NAME, or create it.',
  ],
  // A listing has no key: the store reads the address as an object's.
  NoSuchKey: (error, context) =>
    context.request.verb === 'LIST'
      ? noS3(error, context)
      : ['there is no such object', 'It was deleted meanwhile: run it again.'],
  InvalidBucketName: (_error, { bucket }) => [
    `"${bucket}" is no bucket name`,
    'Set AWS_STORAGE_BUCKET_NAME to 3 to 63 lower-case letters, digits, hyphens and dots, without s3:// and path (AWS_LOCATION).',
  ],
  'PermanentRedirect TemporaryRedirect IllegalLocationConstraintException': otherRegion,
  'AuthorizationHeaderMalformed AuthorizationQueryParametersError': malformedAuthorization,
  InvalidAccessKeyId: (_error, context) => [
    `${storeOf(context)} does not know the access key id`,
    'Check AWS_ACCESS_KEY_ID (or AWS_S3_ACCESS_KEY_ID, AWS_PROFILE) and AWS_S3_ENDPOINT_URL: the key may be deleted, mistyped or from another provider. A temporary key (ASIA…) also needs AWS_SESSION_TOKEN.',
  ],
  SignatureDoesNotMatch: [
    'the secret access key does not belong to the access key id',
    'Check AWS_SECRET_ACCESS_KEY (or AWS_S3_SECRET_ACCESS_KEY) for typing errors, quotes and spaces. If it is right, a proxy changes the requests.',
  ],
  'ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired': expired,
  InvalidToken: [
    'the session token is not valid',
    'Take AWS_SESSION_TOKEN from the same login as the keys; for permanent keys, unset it.',
  ],
  InvalidIdentityToken: roleRefused,
  'CredentialsProviderError ProviderError TokenProviderError': noCredentials,
  AccessControlListNotSupported: [
    'the bucket does not take ACLs, the default since April 2023',
    `R${WITHOUT_ACL.slice(1)} Remove ACL from AWS_S3_OBJECT_PARAMETERS, too.`,
  ],
  EntityTooLarge: (_error, { endpoint }) => [
    `the file is larger than ${endpoint ? 'the store allows' : '5 GiB'}`,
    'Leave it out with exclude.',
  ],
  'KeyTooLongError InvalidObjectName': keyTooLong,
  MetadataTooLarge: [
    "the object's metadata is larger than 2 KB",
    'Shorten Metadata in AWS_S3_OBJECT_PARAMETERS or the rules.',
  ],
  ERR_INVALID_CHAR: ({ message }) => [
    `a header has a character that HTTP does not allow${/\["([\w-]+)"\]/.exec(message)?.[1]?.replace(/^/, ': ') ?? ''}`,
    'Check AWS_S3_OBJECT_PARAMETERS, cacheControl and the rules: printable ASCII only.',
  ],
  PreconditionFailed: ['the object is there already, or has changed', 'Another deploy may be at work: run it again.'],
  QuotaExceeded: ['the quota of the bucket or account is used up', 'Delete unused objects, or have the quota raised.'],
  'AllAccessDisabled AccountProblem NotSignedUp UserSuspended InvalidPayer': accountTrouble,
  'NotImplemented MethodNotAllowed InvalidRequest InvalidArgument InvalidDigest InvalidStorageClass': rejected,
  BodyChanged: [
    'the file changed while it was being uploaded; the old object stands',
    'Build again, and let nothing write to the output folder meanwhile.',
  ],
  BodyUnreadable: (error) => [
    `the file can't be read (${error.field('errnoCode') || error.message})`,
    'Build again, and let nothing delete from the output folder meanwhile.',
  ],
  'NoS3Response MalformedResponse ResponseTooLarge NotFound EPROTO': noS3,
  ProxyRefused: proxyRefused,
  BadProxy: ({ message }) => [
    `${message} is no URL of a proxy`,
    'Set it to an http or https URL, such as http://proxy.example.com:3128.',
  ],
  InvalidRegion: badRegion,
  'EndpointError ERR_INVALID_URL': (_error, { endpoint = '' }) => [
    `"${endpoint}" is no URL`,
    'Set AWS_S3_ENDPOINT_URL with its scheme, such as https://s3.example.com or http://localhost:9000.',
  ],
}

const BY_CODE = new Map(
  Object.entries(EXPLANATIONS).flatMap(([codes, explain]) => codes.split(' ').map((code) => [code, explain])),
)

function storeOf({ endpoint, region }: ExplainContext): string {
  return endpoint ?? `S3 in ${region}`
}

function afterAttempts({ attempts }: ExplainContext): string {
  return attempts > 1 ? `, after ${attempts} attempts` : ''
}

function requestId({ requestId }: S3Error): string {
  return requestId === '' ? '' : ` S3's request id: ${requestId}.`
}

/** S3's own sentence, redacted and short. The SDK writes "UnknownError" if there is none. */
function quoteMessage({ message }: S3Error, { secrets }: ExplainContext): string {
  const said = redact(message, secrets)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '')
  if (said === '' || said === 'UnknownError') return ''
  return `: ${said.length > 300 ? `${said.slice(0, 300)}…` : said}`
}

/** S3 returns the request's time as signed, in the compact form that Date can't read, and its own. */
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

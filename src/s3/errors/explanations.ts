import { forSlowLine } from '../../runtime/error.js'
import { regionOf } from './facts.js'
import type { ExplainContext } from './request.js'
import type { Kind, S3Error } from './s3-error.js'

// A message is `fact{code}. Remedy`. facts.ts fills in the names in braces.

type Test = (error: S3Error, context: ExplainContext) => boolean

const runAgain = 'Run it again later: uploaded files are skipped.'
const checkAccount = 'Check at the provider that the service is enabled, paid for and not suspended.'
const checkProxy =
  'Check HTTPS_PROXY and HTTP_PROXY, with user and password. NO_PROXY names the hosts to reach without a proxy.'
const checkKey =
  "SSEKMSKeyId must name an enabled key in the bucket's region, and kms:GenerateDataKey and kms:Decrypt must be allowed on it."
const roleRefused =
  "the role can't be assumed; {stsAction} is refused{code}. Check AWS_ROLE_ARN and the role's trust policy: with OIDC, its conditions must match this repository and branch."
const otherRegion =
  'the bucket is in another region than {region}{code}. Set AWS_S3_REGION_NAME to the region that `aws s3api get-bucket-location --bucket {bucket}` prints.'
const noRegion = '"{region}" is no region{code}. Set AWS_S3_REGION_NAME to the bucket\'s region, such as eu-west-1.'
const notS3 = "the response from {store} is not S3's{statusOrSaid}{code}. {checkEndpoint}"
const rejected = 'the store {refuses} the request{said}{code}. {checkRequest}{requestId}'
const unreachable = "{store} can't be reached: {whyUnreachable}{code}. {checkHost}"
const silent = `{store} did not answer in time{attempts}{code}. Check the network, and a firewall or proxy on the way. ${forSlowLine}`

const chain = 'CredentialsProviderError ProviderError TokenProviderError'
/** The SDK's messages about a missing SSO session, and the SSO portal's refusal of a token. */
const noSession = /SSO session (token )?associated with|Token is expired|Session token not found or invalid/
/** True for an error of the store or of the SDK's credential chain with one of these codes and a matching message. */
const code =
  (codes: string, sentence = /^/): Test =>
  (error) =>
    codes.split(' ').includes(error.code) && sentence.test(error.message)

const failsToConnect: Test = ({ kind, code }) =>
  (kind === 'unreachable' || kind === 'silent') && code !== 'ProxyRefused'
const isOfCredentials: Test = ({ field }, { request }) =>
  (request.verb === 'CREDENTIALS' || field('service') !== '') && field('proxy') === ''
const isRedirect: Test = ({ status = 0 }) => [301, 302, 303, 307, 308].includes(status)
const hasRegion: Test = (error, { region }) => ![undefined, region].includes(regionOf(error))

/** Cases that a code alone does not identify. The first match wins. */
const CASES: [applies: Test, message: string][] = [
  [code('AccessDenied', /\bsts:/), roleRefused],
  [
    code('AccessDenied Forbidden', /^(?!.*authorized to perform).*(\bcaps?\b|quota|exceeded)/i),
    'the store takes no more{said}{code}. Raise the limit at the provider, or delete unused objects.',
  ],
  [
    code('AccessDenied Forbidden', /^(?!.*authorized to perform).*(entitle|enable|subscri|billing|suspend|payment)/i),
    `the account does not allow it{said}{code}. ${checkAccount}`,
  ],
  [
    (error, context) =>
      hasRegion(error, context) && (isRedirect(error, context) || /Redirect|Location|^Authorization/.test(error.code)),
    'the bucket is in {regionThere}, not in {region}{code}. Set AWS_S3_REGION_NAME={regionThere}.',
  ],
  [code('AuthorizationHeaderMalformed AuthorizationQueryParametersError', /region/i), otherRegion],
  [
    (error, context) => isRedirect(error, context) && !code('PermanentRedirect TemporaryRedirect')(error, context),
    '{store} redirects{target} (status {status}). {checkRedirect}',
  ],
  [
    ({ status, code }) => status === 413 && code === '',
    'a proxy before {store} limits the size of uploads (status 413). Raise its limit (in nginx, client_max_body_size), or leave large files out with exclude.',
  ],
  [
    (error, context) => isOfCredentials(error, context) && failsToConnect(error, context),
    "the service for the credentials can't be reached{host}{code}. Check the network to STS or the SSO portal, and AWS_ENDPOINT_URL_STS if it is set.",
  ],
  [
    code(chain, /EAI_|ECONN|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|ETIMEDOUT|timed? ?out/i),
    "the service for the credentials can't be reached{said}{code}. Check the network to it, and the proxy.",
  ],
  [
    code(chain, /^credential_process/),
    'the profile "{profile}" has no credentials{said}{code}. Run the command in ~/.aws/config by hand: it must print JSON with "Version": 1.',
  ],
  [code(chain, noSession), 'there is no valid SSO session{code}. Run {login}.'],
  [
    code(chain, /\bsso\b|^ForbiddenException: No access/i),
    'the profile "{profile}" got no credentials by SSO{said}{code}. Check its sso_ settings in ~/.aws/config, and that its role is assigned to you.',
  ],
  [
    (error, context) => code(chain)(error, context) && context.profile !== undefined,
    'the profile "{profile}" is not in ~/.aws/config or ~/.aws/credentials, or has no credentials{code}. Check AWS_PROFILE and its source_profile: `aws configure list-profiles` prints all profiles.',
  ],
  [
    (error, context) => error.field('proxy') !== '' && failsToConnect(error, context),
    `the proxy {proxy} can't be reached{code}. ${checkProxy}`,
  ],
  [
    (error, { request }) => request.verb === 'TAG' && (error.status === 501 || error.code === 'MethodNotAllowed'),
    'this store has no tags{code}. Run static-s3 prune without --tag, with the right to delete.',
  ],
  [
    (error, { request }) => request.verb === 'TAG' && code('BadRequest InvalidTag')(error, {} as ExplainContext),
    'S3 does not take these tags{said}{code}. An object has 10 tags at most, and prune --tag adds two: remove some.',
  ],
  // A listing has no key: this server takes its URL for an object's.
  [(error, { request }) => error.code === 'NoSuchKey' && request.verb === 'LIST', notS3],
  [({ code }) => code.startsWith('KMS.'), `the KMS key can't be used{said}{code}. ${checkKey}`],
]

const accessDenied = 'access denied{sentence}; it needs {needs}{code}. {howToAllow}'

/** By codes, separated by spaces. */
const CODES: Record<string, string> = {
  'AccessDenied Forbidden': accessDenied,
  KMSAccessDeniedException: `the KMS key can't be used{said}{code}. ${checkKey}`,
  NoSuchBucket:
    'there is no bucket "{bucket}" at {store}{code}. Check AWS_STORAGE_BUCKET_NAME, or create it: npx static-s3 setup.',
  BucketAlreadyExists:
    'the bucket "{bucket}" belongs to somebody else{code}. Set AWS_STORAGE_BUCKET_NAME to a name that nobody has.',
  NoSuchKey: 'the object does not exist{code}. Something deleted it during the deploy: run the deploy again.',
  InvalidBucketName:
    '"{bucket}" is no bucket name{code}. Set AWS_STORAGE_BUCKET_NAME to 3 to 63 lower-case letters, digits, hyphens and dots, without s3:// and path (AWS_LOCATION).',
  'PermanentRedirect TemporaryRedirect IllegalLocationConstraintException': otherRegion,
  'AuthorizationHeaderMalformed AuthorizationQueryParametersError':
    'the store cannot read the signature{code}. Check the credentials for stray spaces, quotes and line breaks, and AWS_S3_REGION_NAME (auto for R2).',
  InvalidAccessKeyId:
    '{store} does not know the access key id{code}. Check AWS_ACCESS_KEY_ID (or AWS_S3_ACCESS_KEY_ID, AWS_PROFILE) and AWS_S3_ENDPOINT_URL: the key may be deleted, mistyped or from another provider. A temporary key (ASIA…) also needs AWS_SESSION_TOKEN.',
  SignatureDoesNotMatch:
    'the secret access key does not belong to the access key id{code}. Check AWS_SECRET_ACCESS_KEY (or AWS_S3_SECRET_ACCESS_KEY) for typing errors, quotes and spaces. In a .env file, put a value with # in quotes, and write \\$ for $. If the key is right, a proxy changes the requests.',
  'ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired':
    'the temporary credentials have expired{code}. Run {login}, or let the CI job assume its role shortly before the build.',
  InvalidToken:
    'the session token is not valid{code}. Take AWS_SESSION_TOKEN from the same login as the keys; for permanent keys, unset it.',
  InvalidIdentityToken: roleRefused,
  [chain]:
    'no AWS credentials were found{code}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (`aws sso login`, `aws configure`), or run where a role has them: GitHub Actions with OIDC, ECS, EC2.',
  AccessControlListNotSupported:
    'the bucket does not take ACLs, the default since April 2023{code}. Remove AWS_DEFAULT_ACL, and make the files public by a bucket policy. Remove ACL from AWS_S3_OBJECT_PARAMETERS, too.',
  EntityTooLarge: 'the file is larger than {largest}{code}. Leave it out with exclude.',
  'KeyTooLongError InvalidObjectName':
    'the key is longer than 1,024 bytes, or the store does not allow its characters{code}. Shorten AWS_LOCATION or the file name{keyBytes}.',
  MetadataTooLarge:
    "the object's metadata is larger than 2 KB{code}. Shorten Metadata in AWS_S3_OBJECT_PARAMETERS or the rules.",
  ERR_INVALID_CHAR:
    'a header has a character that HTTP does not allow{header}{code}. Check AWS_S3_OBJECT_PARAMETERS, cacheControl and the rules: printable ASCII only.',
  PreconditionFailed:
    'the object already exists, or has changed{code}. Another deploy may be running: run this one again.',
  QuotaExceeded:
    'the quota of the bucket or account is used up{code}. Delete unused objects, or have the quota raised.',
  'AllAccessDisabled AccountProblem NotEntitled NotSignedUp UserSuspended InvalidPayer': `the account does not allow it{said}{code}. Billing or a suspension may be the reason. ${checkAccount}`,
  'NotImplemented MethodNotAllowed InvalidRequest InvalidArgument InvalidDigest InvalidStorageClass': rejected,
  BodyChanged:
    'the file changed while it was being uploaded; the old object stands. Build again, and let nothing write to the output folder meanwhile.',
  BodyUnreadable:
    "the file can't be read ({fileError}). Build again, and let nothing delete from the output folder meanwhile.",
  'NoS3Response MalformedResponse ResponseTooLarge NotFound EPROTO': notS3,
  ProxyRefused: `the proxy{proxyName} refuses the connection to {tunnel}{said}{code}. ${checkProxy}`,
  BadProxy:
    '{message} is no URL of a proxy. Set it to an http or https URL, such as http://proxy.example.com:3128. SOCKS is not supported. NO_PROXY names the hosts to reach without a proxy.',
  InvalidRegion: noRegion,
  'EndpointError ERR_INVALID_URL':
    '"{endpoint}" is no URL{code}. Set AWS_S3_ENDPOINT_URL with its scheme, such as https://s3.example.com or http://localhost:9000.',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'the certificate of {store} is for another host name{code}. For a bucket name with dots, set AWS_S3_ADDRESSING_STYLE=path; otherwise check AWS_S3_ENDPOINT_URL.',
  'CERT_HAS_EXPIRED CERT_NOT_YET_VALID':
    "the certificate of {store} has expired or is not valid yet{code}. Renew it, or set this machine's clock.",
}

const BY_CODE = new Map(
  Object.entries(CODES).flatMap(([codes, message]) => codes.split(' ').map((code) => [code, message])),
)

const KINDS: Partial<Record<Kind, string>> = {
  throttled: `{store} asks to slow down{attempts}{code}. Lower concurrency. ${runAgain}`,
  serverTrouble: `{store} is in trouble (status {status}){attempts}{code}. ${runAgain}{requestId}`,
  // S3 waits some 20 seconds for the next bytes of a body.
  clientTooSlow: `the upload was too slow for {store}{attempts}{code}. ${forSlowLine}`,
  skewed:
    "this machine's clock is {clock}{code}. Set it by a time server (NTP); in a virtual machine or WSL, restart it.",
  damaged:
    'the content arrived damaged{attempts}; the old object stands{code}. The file changed during the upload (build again), or a proxy changes the content.',
  cut: `the connection to {store} broke off{attempts}{code}. Check the network. ${runAgain}`,
  unreachable,
  silent,
}

/** CloudFront's, by code or kind. The caller says how to invalidate by hand. */
const CLOUDFRONT = new Map([
  ['NoSuchDistribution', 'the account of these credentials has no such distribution{code}. Check its ID.'],
  [
    'TooManyInvalidationsInProgress',
    'too many invalidations of it are in progress{code}: 15 wildcards or 3,000 other paths. Wait for their end.',
  ],
  [
    'InvalidClientTokenId',
    "CloudFront does not know the access key id of the deploy{code}. It takes AWS's keys only, and not those of another store.",
  ],
  ['InvalidArgument', 'CloudFront refuses the request{said}{code}.'],
  ['throttled', 'CloudFront asks to slow down{attempts}{code}.'],
  ['serverTrouble', 'CloudFront is in trouble (status {status}){attempts}{code}.'],
  ['cut', 'the connection to CloudFront broke off{attempts}{code}. Check the network.'],
  [
    'unreachable',
    "CloudFront can't be reached: {whyUnreachable}{code}. Check the network, and AWS_ENDPOINT_URL_CLOUDFRONT if it is set.",
  ],
  [
    'silent',
    'CloudFront did not answer in time{attempts}{code}. Check the network, and a firewall or proxy on the way.',
  ],
])

/** Less certain than a code. The first match wins. */
const OTHERS: [applies: Test, message: string][] = [
  [
    ({ code, status }) => /CERT|SIGNATURE/.test(code) && status === undefined,
    "the certificate of {store} can't be verified{code}. Behind a proxy, or with your own certificate authority, set NODE_EXTRA_CA_CERTS to its certificate file (Node ignores AWS_CA_BUNDLE).",
  ],
  [({ code, message }) => code.startsWith('ERR_SSL_') || /XML parse error/.test(message), notS3],
  [({ message }) => /not a valid hostname component/.test(message), noRegion],
  [({ status }) => status === 407, `the proxy{proxyName} refuses the connection to {store}{said}{code}. ${checkProxy}`],
  // Its response has no body, and so no code.
  [({ status, code }, { request }) => request.verb === 'HEAD' && status === 403 && code === '', accessDenied],
  [
    ({ status, code }) => status === 403 && code === '',
    'status 403 without an error code of S3. The response may come from a proxy or firewall: check it, and AWS_S3_ENDPOINT_URL.',
  ],
]

/** The message's template. */
export function templateFor(error: S3Error, context: ExplainContext): string {
  const applies = ([test]: [Test, string]) => test(error, context)
  const ofCloudFront = (name = '') => (context.request.verb === 'INVALIDATE' ? CLOUDFRONT.get(name) : undefined)
  return (
    ofCloudFront(error.code) ??
    CASES.find(applies)?.[1] ??
    BY_CODE.get(error.code) ??
    OTHERS.find(applies)?.[1] ??
    ofCloudFront(error.kind) ??
    (error.kind && KINDS[error.kind]) ??
    "failed{withStatus}{attempts}{said}{code}. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists S3's codes.{requestId}"
  )
}

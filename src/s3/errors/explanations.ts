import { forSlowLine } from '../../runtime/error.js'
import { redact } from './redact.js'
import { type ExplainContext, hasAcl, parametersOf, permissionsOf, resourceOf } from './request.js'
import type { S3Answer } from './s3-answer.js'

/** What happened, and what to do about it: the message is `PUT key to s3://bucket: fact (Code). Remedy` */
export interface Explanation {
  fact: string
  remedy: string
}

type Explain = (answer: S3Answer, context: ExplainContext) => Explanation

/** The explanation of an answer: by its code, else by its status and what can be told from it. */
export function explanationFor(answer: S3Answer, context: ExplainContext): Explanation {
  if (answer.code === 'AccessDenied' && /\bsts:/.test(answer.message)) return roleRefused(answer, context)
  const known = Object.hasOwn(EXPLANATIONS, answer.code) ? EXPLANATIONS[answer.code] : undefined
  if (known) return known(answer, context)
  if (/^KMS\./.test(answer.code)) return keyUnusable(answer, context)
  if (/CERT|SIGNATURE/.test(answer.code) && answer.status === undefined) return untrustedCertificate(answer, context)
  if (/^ERR_SSL_/.test(answer.code)) return noS3(answer, context)
  if (/not a valid hostname component/.test(answer.message)) return badRegion(answer, context)
  if (answer.status === 407) return proxyRefused(answer, context)
  if (answer.status === 301 || answer.status === 307) return otherRegion(answer, context)
  if (answer.status === 403 && answer.code === '') return refusedWithoutCode(answer, context)
  if (answer.status === 429 || answer.status === 503) return tooMany(answer, context)
  if (/XML parse error/.test(answer.message)) return noS3(answer, context)
  return anythingElse(answer, context)
}

const accessDenied: Explain = (answer, context) => {
  const [, action] = /not authorized to perform: ([\w-]{1,40}:\w{1,80})/.exec(answer.message) ?? []
  const [, resource] = /on resource: "?([^"\s\p{Cc}]{1,1100})/u.exec(answer.message) ?? []
  const [why] =
    /because no [\w -]+ policy allows the|with an explicit deny in an? [\w -]+ policy/.exec(answer.message) ?? []
  const denied = why?.startsWith('with')
  const needs = action
    ? `${action} on ${resource && !KEY_MATERIAL.test(resource) ? resource : resourceOf(context)}`
    : permissionsOf(context)
  const hints = [
    denied
      ? `It is denied ${why}: a Deny beats every Allow, so that statement has to change.`
      : 'Allow it in the policy of the user or role.',
  ]
  const parameters = parametersOf(context)
  if (hasAcl(parameters)) {
    hints.push(
      'The bucket may also block public ACLs: remove AWS_DEFAULT_ACL and make the files public by a bucket policy.',
    )
  }
  if (String(parameters.ServerSideEncryption ?? '').startsWith('aws:kms') && !action) {
    hints.push('With KMS it takes kms:GenerateDataKey and kms:Decrypt on the key, too.')
  }
  if (context.request.verb === 'GET') {
    hints.push('Without s3:ListBucket, S3 says the same of an object that is not there.')
  }
  return { fact: `access denied; it takes ${needs}`, remedy: hints.join(' ') }
}

const KEY_MATERIAL = /\b(?:AKIA|ASIA)[A-Z0-9]{8,}/

const roleRefused: Explain = ({ message }) => ({
  fact: `the role can't be assumed; ${/\bsts:\w+/.exec(message)?.[0] ?? 'sts:AssumeRole'} is refused`,
  remedy:
    "Check the role's ARN (AWS_ROLE_ARN) and its trust policy: with OIDC, its conditions have to match this repository and branch.",
})

const refusedWithoutCode: Explain = (_answer, context) => ({
  fact: `refused with status 403 and no word of S3's`,
  remedy: `A proxy or firewall may have answered instead of ${storeOf(context)}: check it, and AWS_S3_ENDPOINT_URL.`,
})

const otherRegion: Explain = (answer, context) => {
  const region = regionIn(answer)
  const { bucket } = context
  if (region === undefined || region === context.region) {
    return {
      fact: `the bucket is in another region than ${context.region}`,
      remedy: `Set AWS_S3_REGION_NAME to its own: \`aws s3api get-bucket-location --bucket ${bucket}\` tells it.`,
    }
  }
  return {
    fact: `the bucket is in ${region}, not in ${context.region}`,
    remedy: `Set AWS_S3_REGION_NAME=${region}.`,
  }
}

/** S3 names the right region in a header, in the error document, or only in the text; R2 and Garage in the text. */
function regionIn(answer: S3Answer): string | undefined {
  const named =
    answer.header('x-amz-bucket-region') ||
    answer.field('Region') ||
    (/expecting '([^']+)'/.exec(answer.message)?.[1] ??
      /^(?:https?:\/\/)?(?:.+\.)?s3[.-]([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com/.exec(answer.field('Endpoint'))?.[1])
  return named && /^[a-z0-9-]{1,40}$/.test(named) ? named : undefined
}

const malformedAuthorization: Explain = (answer, context) =>
  regionIn(answer) === undefined && !/region/i.test(answer.message)
    ? {
        fact: 'the signature has a form that this store does not read',
        remedy:
          'Check the credentials for stray spaces, quotes and line breaks, and AWS_S3_REGION_NAME (R2 takes auto).',
      }
    : otherRegion(answer, context)

const expired: Explain = (_answer, context) => ({
  fact: 'the temporary credentials have expired',
  remedy: `Fetch new ones: \`aws sso login${profileFlag(context)}\`, or let the CI job assume its role again just before the build.`,
})

const noCredentials: Explain = (answer, context) => {
  if (/\bsso\b/i.test(answer.message)) {
    return {
      fact: 'there is no valid SSO session',
      remedy: `Run \`aws sso login${profileFlag(context)}\`.`,
    }
  }
  if (context.profile !== undefined) {
    return {
      fact: `the profile "${context.profile}" is not in ~/.aws/config or ~/.aws/credentials, or gives no credentials`,
      remedy: 'Check its name (AWS_PROFILE); `aws configure list-profiles` lists those that there are.',
    }
  }
  return {
    fact: 'no AWS credentials were found',
    remedy:
      'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (`aws sso login`, `aws configure`), or run where a role gives them: GitHub Actions with OIDC, ECS, EC2.',
  }
}

const unreachable: Explain = (answer, context) => {
  if (context.request.verb === 'CREDENTIALS') return credentialsUnreachable(answer)
  if (answer.field('proxy') !== '') return proxyUnreachable(answer)
  const host = answer.field('hostname') || answer.field('address')
  const what = answer.code === 'ECONNREFUSED' ? 'nothing listens there' : 'there is no such host, or no network'
  const virtual = context.endpoint && host.startsWith(`${context.bucket}.`)
  return {
    fact: `${storeOf(context)} can't be reached: ${what}${host ? `: ${host}` : ''}`,
    remedy: virtual
      ? 'A store without a host name for each bucket takes AWS_S3_ADDRESSING_STYLE=path.'
      : context.endpoint
        ? 'Check the network and AWS_S3_ENDPOINT_URL.'
        : 'Check the network, and AWS_S3_REGION_NAME for a typing error.',
  }
}

const timedOut: Explain = (answer, context) => {
  if (context.request.verb === 'CREDENTIALS') return credentialsUnreachable(answer)
  if (answer.field('proxy') !== '') return proxyUnreachable(answer)
  return {
    fact: `${storeOf(context)} did not answer in time${afterAttempts(context)}`,
    remedy: `Check the network, a firewall or proxy on the way${context.endpoint ? ', and AWS_S3_ENDPOINT_URL' : ''}. ${forSlowLine}`,
  }
}

/** S3 waits some 20 seconds for the next bytes of a body. */
const tooSlow: Explain = (_answer, context) => ({
  fact: `the upload was too slow for ${storeOf(context)}${afterAttempts(context)}`,
  remedy: forSlowLine,
})

/** Not S3: STS, the SSO portal, or a metadata service. */
const credentialsUnreachable = (answer: S3Answer) => {
  const host = answer.field('hostname') || answer.field('address')
  return {
    fact: `the service that gives the credentials can't be reached${host ? `: ${host}` : ''}`,
    remedy: 'Check the network to STS or the SSO portal, and AWS_ENDPOINT_URL_STS if it is set.',
  }
}

const cut: Explain = (_answer, context) => ({
  fact: `the connection to ${storeOf(context)} broke off${afterAttempts(context)}`,
  remedy: 'Check the network and run it again: what is up already is skipped.',
})

const untrustedCertificate: Explain = ({ code }, context) => {
  const store = storeOf(context)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {
      fact: `the certificate of ${store} is for another host name`,
      remedy:
        'Bucket names with dots, and many stores, take AWS_S3_ADDRESSING_STYLE=path; else check AWS_S3_ENDPOINT_URL.',
    }
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return {
      fact: `the certificate of ${store} has expired or is not valid yet`,
      remedy: "Renew it, and check this machine's clock.",
    }
  }
  return {
    fact: `the certificate of ${store} can't be verified`,
    remedy:
      'Behind a proxy, or with a certificate authority of your own, set NODE_EXTRA_CA_CERTS to its certificate file (Node reads that, not AWS_CA_BUNDLE).',
  }
}

const noS3: Explain = (answer, context) => ({
  fact: `${storeOf(context)} gives an answer that is not S3's${answer.status === undefined ? '' : ` (status ${answer.status})`}`,
  remedy: context.endpoint
    ? 'Check AWS_S3_ENDPOINT_URL: http or https, the port, and that it is the S3 address and not a web console.'
    : 'A proxy or firewall on the way may have answered.',
})

const malformed: Explain = (answer, context) => ({
  fact: `${storeOf(context)} gives an answer that is not S3's, since it is no HTTP${quoteMessage(answer, context)}`,
  remedy: noS3(answer, context).remedy,
})

const tooLarge: Explain = (answer, context) => ({
  fact: `${storeOf(context)} gives an answer that is not S3's${quoteMessage(answer, context)}`,
  remedy: noS3(answer, context).remedy,
})

const proxyRefused: Explain = (answer, context) => ({
  fact: `${answer.field('proxy') === '' ? 'the proxy' : `the proxy ${answer.field('proxy')}`} does not let the request through to ${storeOf(context)}${quoteMessage(answer, context)}`,
  remedy: `Check HTTPS_PROXY and HTTP_PROXY, with user and password where it asks for them; NO_PROXY names the hosts that are reached without it.`,
})

const proxyUnreachable = (answer: S3Answer) => ({
  fact: `the proxy ${answer.field('proxy')} can't be reached`,
  remedy: 'Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names the hosts that are reached without a proxy.',
})

const badRegion: Explain = (_answer, context) => ({
  fact: `"${context.region}" can't be a region`,
  remedy: "Set AWS_S3_REGION_NAME to the bucket's region, such as eu-west-1.",
})

const badEndpoint: Explain = (_answer, context) => ({
  fact: `"${context.endpoint ?? ''}" is no URL`,
  remedy: 'Set AWS_S3_ENDPOINT_URL with its scheme, such as https://s3.example.com or http://localhost:9000.',
})

const tooMany: Explain = (_answer, context) => ({
  fact: `${storeOf(context)} asks to slow down${afterAttempts(context)}`,
  remedy: 'Lower concurrency, or run it again later: what is up already is skipped.',
})

const serverTrouble: Explain = (answer, context) => ({
  fact: `${storeOf(context)} is in trouble (status ${answer.status ?? 500})${afterAttempts(context)}`,
  remedy: `Run it again later: what is up already is skipped.${requestId(answer)}`,
})

const bodyChanged: Explain = () => ({
  fact: 'the file changed while it was being uploaded; the object that was there before stands',
  remedy: 'Build again, and let nothing write to the output folder meanwhile.',
})

const damaged: Explain = (_answer, context) => ({
  fact: `what arrived was not what was sent${afterAttempts(context)}; the object that was there before stands`,
  remedy:
    'Either the file changed while it was being uploaded (build again), or a proxy on the way changes the content.',
})

const keyTooLong: Explain = (_answer, context) => ({
  fact: 'the key is longer than the 1,024 bytes that S3 takes, or has characters that this store does not take',
  remedy: `Shorten AWS_LOCATION or the file's name${context.request.verb === 'PUT' ? `: ${Buffer.byteLength(context.request.key)} bytes` : ''}.`,
})

const accountTrouble: Explain = (answer, context) => ({
  fact: `the account does not allow it${quoteMessage(answer, context)}`,
  remedy: "Billing, a suspension or the provider's support may be the reason: look into the account's console.",
})

const notSupported: Explain = (answer, context) => {
  const sent = Object.keys(parametersOf(context))
  return {
    fact: `this store does not do what was asked${quoteMessage(answer, context)}`,
    remedy:
      sent.length > 0
        ? `It was sent with ${sent.join(', ')}: remove from AWS_S3_OBJECT_PARAMETERS and the rules what the store does not know.`
        : 'Check that AWS_S3_ENDPOINT_URL is an S3 address.',
  }
}

const invalidRequest: Explain = (answer, context) => {
  const sent = Object.keys(parametersOf(context))
  return {
    fact: `S3 can't accept the request${quoteMessage(answer, context)}`,
    remedy:
      sent.length > 0 ? `It was sent with ${sent.join(', ')}: check them.` : `Check the settings.${requestId(answer)}`,
  }
}

const keyUnusable: Explain = (answer, context) => ({
  fact: `the KMS key can't be used${quoteMessage(answer, context)}`,
  remedy:
    'Check that it exists in the region of the bucket and is enabled (SSEKMSKeyId), and that kms:GenerateDataKey and kms:Decrypt are allowed on it.',
})

const anythingElse: Explain = (answer, context) =>
  answer.status !== undefined && answer.status >= 500
    ? serverTrouble(answer, context)
    : {
        fact: `failed${answer.status === undefined ? '' : ` with status ${answer.status}`}${afterAttempts(context)}${quoteMessage(answer, context)}`,
        remedy: `https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html lists S3's codes.${requestId(answer)}`,
      }

const EXPLANATIONS: Record<string, Explain> = {
  AccessDenied: accessDenied,
  Forbidden: accessDenied,
  KMSAccessDeniedException: keyUnusable,

  NoSuchBucket: (_answer, context) => ({
    fact: `there is no bucket "${context.bucket}" at ${storeOf(context)}`,
    remedy: 'Check AWS_STORAGE_BUCKET_NAME, or create it.',
  }),
  NoSuchKey: (answer, context) =>
    // Nobody asks for a key in a listing: the address was read as an object's.
    context.request.verb === 'LIST'
      ? noS3(answer, context)
      : { fact: 'there is no such object', remedy: 'It was deleted meanwhile: run it again.' },
  NotFound: noS3,
  InvalidBucketName: (_answer, context) => ({
    fact: `"${context.bucket}" can't be a bucket's name`,
    remedy:
      'AWS_STORAGE_BUCKET_NAME takes the name alone: 3 to 63 lower-case letters, digits, hyphens and dots, without s3:// and without a path (that is AWS_LOCATION).',
  }),

  PermanentRedirect: otherRegion,
  TemporaryRedirect: otherRegion,
  IllegalLocationConstraintException: otherRegion,
  AuthorizationHeaderMalformed: malformedAuthorization,
  AuthorizationQueryParametersError: malformedAuthorization,

  InvalidAccessKeyId: (_answer, context) => ({
    fact: `${storeOf(context)} does not know the access key id`,
    remedy:
      'It was deleted, has a typing error, or belongs to another provider: check AWS_ACCESS_KEY_ID (or AWS_S3_ACCESS_KEY_ID, AWS_PROFILE) and AWS_S3_ENDPOINT_URL. A temporary one (ASIA…) needs AWS_SESSION_TOKEN too.',
  }),
  SignatureDoesNotMatch: () => ({
    fact: 'the secret access key does not belong to the access key id',
    remedy:
      'Check AWS_SECRET_ACCESS_KEY (or AWS_S3_SECRET_ACCESS_KEY) for a typing error, quotes and spaces; if it is right, a proxy on the way changes requests.',
  }),
  ExpiredToken: expired,
  ExpiredTokenException: expired,
  TokenRefreshRequired: expired,
  RequestExpired: expired,
  InvalidToken: () => ({
    fact: 'the session token is not valid',
    remedy:
      'AWS_SESSION_TOKEN has to come from the same login as the keys; keys that are permanent take none, so unset it.',
  }),
  InvalidIdentityToken: roleRefused,
  RequestTimeTooSkewed: (answer) => ({
    fact: `this machine's clock is ${clockOffset(answer) ?? 'more than 15 minutes off'}`,
    remedy: 'Set it by a time server (NTP); in a virtual machine or WSL, restart it.',
  }),
  CredentialsProviderError: noCredentials,
  ProviderError: noCredentials,
  TokenProviderError: noCredentials,

  AccessControlListNotSupported: () => ({
    fact: 'the bucket does not take ACLs, as every bucket made since April 2023',
    remedy:
      'Remove AWS_DEFAULT_ACL (and ACL from AWS_S3_OBJECT_PARAMETERS) and make the files public by a bucket policy.',
  }),
  EntityTooLarge: (_answer, context) => ({
    fact: 'the file is larger than one upload may be',
    remedy: `${context.endpoint ? 'The store sets that limit' : 'S3 takes 5 GiB'}: leave it out with exclude.`,
  }),
  KeyTooLongError: keyTooLong,
  InvalidObjectName: keyTooLong,
  MetadataTooLarge: () => ({
    fact: "the object's metadata is larger than the 2 KB that S3 takes",
    remedy: 'Shorten Metadata in AWS_S3_OBJECT_PARAMETERS or the rules.',
  }),
  ERR_INVALID_CHAR: (answer) => ({
    fact: `a header has a character that HTTP does not allow${/\["([\w-]+)"\]/.exec(answer.message)?.[1]?.replace(/^/, ': ') ?? ''}`,
    remedy: 'Check AWS_S3_OBJECT_PARAMETERS, cacheControl and the rules: printable ASCII only.',
  }),
  PreconditionFailed: () => ({
    fact: 'the object is there already, or has changed meanwhile',
    remedy: 'Another deploy may be at work: run it again.',
  }),
  QuotaExceeded: () => ({
    fact: "the bucket's or the account's quota is used up",
    remedy: 'Delete what is no longer used, or have the quota raised.',
  }),
  AllAccessDisabled: accountTrouble,
  AccountProblem: accountTrouble,
  NotSignedUp: accountTrouble,
  UserSuspended: accountTrouble,
  InvalidPayer: accountTrouble,
  NotImplemented: notSupported,
  MethodNotAllowed: notSupported,
  InvalidRequest: invalidRequest,
  InvalidArgument: invalidRequest,
  InvalidDigest: invalidRequest,
  InvalidStorageClass: invalidRequest,

  SlowDown: tooMany,
  Throttling: tooMany,
  ThrottlingException: tooMany,
  TooManyRequests: tooMany,
  TooManyRequestsException: tooMany,
  RequestLimitExceeded: tooMany,
  BandwidthLimitExceeded: tooMany,
  InternalError: serverTrouble,
  ServiceUnavailable: serverTrouble,
  BadDigest: damaged,
  IncompleteBody: damaged,
  XAmzContentSHA256Mismatch: damaged,
  BodyChanged: bodyChanged,
  BodyUnreadable: (answer) => ({
    fact: `the file can't be read (${answer.field('errnoCode') || answer.message})`,
    remedy: 'Build again, and let nothing delete from the output folder meanwhile.',
  }),
  NoS3Answer: noS3,
  MalformedResponse: malformed,
  ResponseTooLarge: tooLarge,
  ProxyRefused: proxyRefused,
  BadProxy: (answer) => ({
    fact: `${answer.message} is no URL of a proxy`,
    remedy: 'Set it with its scheme, such as http://proxy.example.com:3128; http and https are known.',
  }),
  InvalidRegion: badRegion,

  ENOTFOUND: unreachable,
  EAI_AGAIN: unreachable,
  EAI_FAIL: unreachable,
  ECONNREFUSED: unreachable,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ETIMEDOUT: timedOut,
  TimeoutError: timedOut,
  RequestTimeout: tooSlow,
  RequestTimeoutException: timedOut,
  ECONNRESET: cut,
  ECONNABORTED: cut,
  EPIPE: cut,
  ERR_STREAM_PREMATURE_CLOSE: cut,
  EPROTO: noS3,
  EndpointError: badEndpoint,
  ERR_INVALID_URL: badEndpoint,
}

function storeOf({ endpoint, region }: ExplainContext): string {
  return endpoint ?? `S3 in ${region}`
}

function profileFlag({ profile }: ExplainContext): string {
  return profile === undefined ? '' : ` --profile ${profile}`
}

function afterAttempts({ attempts }: ExplainContext): string {
  return attempts > 1 ? `, after ${attempts} attempts` : ''
}

function requestId({ requestId }: S3Answer): string {
  return requestId === '' ? '' : ` S3's request id: ${requestId}.`
}

/** S3's own sentence, made safe and short. The SDK puts "UnknownError" where there is none. */
function quoteMessage({ message }: S3Answer, { secrets }: ExplainContext): string {
  const said = redact(message, secrets)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '')
  if (said === '' || said === 'UnknownError') return ''
  return `: ${said.length > 300 ? `${said.slice(0, 300)}…` : said}`
}

/** S3 gives the time of the request, as signed, and its own; the former in the compact form that Date can't read. */
function clockOffset(answer: S3Answer): string | undefined {
  const compact = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
  const ours = Date.parse(answer.field('RequestTime').replace(compact, '$1-$2-$3T$4:$5:$6Z'))
  const theirs = Date.parse(answer.field('ServerTime'))
  const minutes = Math.round((ours - theirs) / 60_000)
  if (Number.isNaN(minutes) || minutes === 0) return undefined
  const size = Math.abs(minutes)
  const span =
    size < 120 ? `${size} minutes` : size < 2880 ? `${Math.round(size / 60)} hours` : `${Math.round(size / 1440)} days`
  return `${span} ${minutes < 0 ? 'behind' : 'ahead of'} S3's`
}

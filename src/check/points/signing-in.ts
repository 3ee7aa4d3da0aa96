import { isForbidden, plain, responseOf } from '../../runtime/error.js'
import { prefixOf } from '../../urls/paths.js'
import { canaryText } from '../canary.js'
import { reasonOf } from '../page-fetch.js'
import { fail, hint, pass, pointsOf, shared, unknown } from '../point.js'

// The store must know the bucket and the credentials. Each refusal belongs to one of these points.

const point = pointsOf('the store')

/** The bucket's response to a request without credentials. */
const headOf = shared(({ bucketUrl, send }) => send({ method: 'HEAD', url: bucketUrl, headers: {} }))

/** The error of the first signed request. */
const firstError = shared((site) =>
  site.bucket.list(prefixOf(site.settings.location), { first: 1 }).then(
    () => undefined,
    (error: unknown) => error,
  ),
)

/** S3's codes for a refusal of any signed request, by the point at fault. */
const causes = {
  clock: 'RequestTimeTooSkewed',
  credentials:
    'CredentialsProviderError ProviderError TokenProviderError InvalidAccessKeyId SignatureDoesNotMatch InvalidToken InvalidClientTokenId ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired',
  region:
    'PermanentRedirect TemporaryRedirect IllegalLocationConstraintException AuthorizationHeaderMalformed AuthorizationQueryParametersError',
  endpoint: 'NoS3Response MalformedResponse ResponseTooLarge NotFound EPROTO',
  bucket: 'NoSuchBucket InvalidBucketName',
}

function isCauseOf(error: unknown, name: keyof typeof causes): boolean {
  return error !== undefined && namesCause(responseOf(error).code ?? '', name)
}

function namesCause(code: string, name: keyof typeof causes): boolean {
  return causes[name].split(' ').includes(code)
}

export const endpoint = point({
  name: 'endpoint',
  faults: ['unreachable', 'certificate', 'not-s3'],
  async look(site) {
    const { host } = site.bucketUrl
    try {
      await headOf(site)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      const refusal = namesCause(code, 'endpoint') ? await firstError(site) : undefined
      if (isCauseOf(refusal, 'endpoint')) return fail('not-s3', plain(refusal))
      const saw = `${host} can't be reached from here (${reasonOf(error)})`
      if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
        return unknown(
          'unreachable',
          saw,
          'The port answers without TLS: begin AWS_S3_ENDPOINT_URL with http:, or name another port.',
        )
      }
      if (/CERT|SIGNATURE|ERR_TLS|ERR_SSL/.test(code)) {
        const isOutOfTime = /EXPIRED|NOT_YET/.test(code)
        const remedy = 'Behind a proxy that opens TLS, set NODE_EXTRA_CA_CERTS to its certificate file.'
        return fail('certificate', saw, isOutOfTime ? setClock : remedy)
      }
      return unknown('unreachable', saw, 'Check the network, HTTPS_PROXY, AWS_S3_ENDPOINT_URL and AWS_S3_REGION_NAME.')
    }
    const error = await firstError(site)
    return isCauseOf(error, 'endpoint') ? fail('not-s3', plain(error)) : pass(`${host} answers`)
  },
})

const setClock = "Set this machine's clock by a time server (NTP). Restart a virtual machine or WSL."

/** Milliseconds, as in S3. */
const mostSkew = 15 * 60_000

export const clock = point({
  name: 'clock',
  needs: [endpoint],
  faults: ['wrong', 'no-date'],
  async look(site) {
    const error = await firstError(site)
    if (isCauseOf(error, 'clock')) return fail('wrong', plain(error), setClock)
    const { date = '' } = (await headOf(site)).headers
    const ahead = site.now() - Date.parse(date)
    if (Number.isNaN(ahead)) return unknown('no-date', 'the store sends no time')
    const saw = `${span(Math.abs(ahead))} ${ahead < 0 ? 'behind' : 'ahead of'} the store's`
    if (Math.abs(ahead) < 2000) return pass("the same as the store's")
    return Math.abs(ahead) > mostSkew ? fail('wrong', saw, setClock) : pass(saw)
  },
  isNeeded: false,
})

export const credentials = point({
  name: 'credentials',
  needs: [endpoint],
  faults: ['none', 'refused', 'expired', 'expire-soon'],
  async look(site) {
    const found = await site.credentials().catch((error: unknown) => error as Error)
    if (found instanceof Error) return fail('none', plain(found))
    const { accessKeyId, source, expiration } = found
    const shown = `${accessKeyId.slice(0, 4)}…${accessKeyId.slice(-4)} from ${source}`
    const error = await firstError(site)
    if (isCauseOf(error, 'credentials')) {
      const isExpired = /Expired|Refresh/.test(responseOf(error).code ?? '')
      return fail(isExpired ? 'expired' : 'refused', `${shown}: ${plain(error)}`)
    }
    if (!expiration) return pass(`${shown}, until they are revoked`)
    const left = expiration.getTime() - site.now()
    const saw = `${shown}, until ${expiration.toISOString()} (${span(left)} left)`
    return left < 15 * 60_000 ? hint('expire-soon', saw, 'Sign in again before a long deploy.') : pass(saw)
  },
})

export const region = point({
  name: 'region',
  needs: [credentials],
  faults: ['other'],
  async look(site) {
    const error = await firstError(site)
    const there = (await headOf(site)).headers['x-amz-bucket-region']
    if (!isCauseOf(error, 'region')) return pass(site.settings.region)
    return fail('other', plain(error), there && `AWS_S3_REGION_NAME=${there}`)
  },
})

export const bucket = point({
  name: 'bucket',
  needs: [region, clock],
  faults: ['missing', 'denied', 'no-answer'],
  async look(site) {
    const error = await firstError(site)
    const there = `s3://${site.settings.bucket}`
    if (error === undefined) return pass(`${there} exists, and accepts these credentials`)
    if (isCauseOf(error, 'bucket')) {
      return fail('missing', plain(error), 'npx static-s3 setup')
    }
    if (!isForbidden(error)) return unknown('no-answer', plain(error))
    // A bucket of somebody else refuses everything. A policy may refuse only the listing.
    const { key, recordKey, create, write, parameters, recordParameters } = await site.canary()
    const writes = await Promise.allSettled([
      create(key, canaryText('1'), parameters('fingerprinted')),
      write(recordKey, '{}', recordParameters),
    ])
    if (writes.every((each) => each.status === 'rejected' && isForbidden(each.reason))) {
      const remedy =
        'If the bucket is yours, allow what `static-s3 policy iam` prints. Otherwise choose another name: bucket names are unique across all accounts.'
      return fail('denied', `${there} exists, but neither listing nor writing is allowed: ${plain(error)}`, remedy)
    }
    return pass(`${there} exists`)
  },
})

function span(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 120) return `${seconds} seconds`
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`
}

export const signingIn = [endpoint, clock, credentials, region, bucket]

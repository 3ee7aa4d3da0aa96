import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { deploySettings } from '../../fixtures/build/settings.js'
import {
  distribution,
  type EmbeddedCloudFront,
  type Fault,
  otherDistribution,
  startCloudFront,
} from '../../fixtures/cloudfront/server.js'
import { file, holding, listed } from '../../fixtures/release/plan-scene.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withConnection } from '../../fixtures/s3/with-connection.js'
import { invalidationRequest } from '../../src/cloudfront/create-invalidation.js'
import { callOnReleased, invalidate, waitForInvalidations } from '../../src/deploy/after-release.js'
import type { Result } from '../../src/report/result.js'
import type { S3Connection } from '../../src/s3/objects/s3-bucket.js'
import type { Options } from '../../src/settings/options.js'
import type { Settings } from '../../src/settings/settings.js'

let cloudFront: EmbeddedCloudFront
let connection: S3Connection
let server: EmbeddedS3
withConnection((target) => {
  ;({ connection, server } = target)
  cloudFront.reset()
})
beforeAll(async () => {
  cloudFront = await startCloudFront(() => server.credentials)
})
afterEach(() => vi.restoreAllMocks())
afterAll(() => cloudFront.close())

/** Makes timers of this length end soon. */
function shorten(length: number) {
  const { setTimeout: real } = globalThis
  const soon = (run: () => void, ms = 0) => real(run, ms === length ? 20 : ms)
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(soon as never)
}

/** A page that changes, whose earlier headers nothing tells. */
const change = {
  decisions: [{ file: file('about.html'), action: 'upload', reason: 'content' } as const],
  survey: { listing: holding(listed('about.html')), record: undefined },
  deleted: new Set<string>(),
}
const paths = ['/static/about.html*']

async function request(options: Options = {}, signal = new AbortController().signal) {
  const variables = { AWS_ENDPOINT_URL_CLOUDFRONT: cloudFront.endpoint, AWS_CLOUDFRONT_DISTRIBUTION_ID: distribution }
  const settings = await deploySettings({ enabled: true, bucket: 'bucket', ...options }, variables)
  const warnings: string[] = []
  const input = { settings, connection, signal, warn: (text: string) => void warnings.push(text) }
  const requested = await invalidate(input, change)
  await waitForInvalidations(input, requested)
  return { requested, warnings }
}

test('one signed request goes to each distribution', async () => {
  const { requested, warnings } = await request({ cloudfront: { distributionId: [distribution, otherDistribution] } })
  expect(warnings).toEqual([])
  expect(cloudFront.invalidations.map(({ reference: _, attempts: __, ...made }) => made)).toEqual(requested)
  expect(requested?.map(({ distribution: to, paths: of }) => [to, of])).toEqual([
    [distribution, paths],
    [otherDistribution, paths],
  ])
})

test('a dry run sends nothing', async () => {
  const { requested } = await request({ dryRun: true })
  expect(requested).toEqual([{ distribution, id: null, paths }])
  expect(cloudFront.requests).toBe(0)
})

test.each<[what: string, faults: Fault[]]>([
  ['whose answer was lost', ['lost']],
  ['that was throttled', [{ status: 400, code: 'Throttling' }]],
  [
    'that met an error of the service',
    [
      { status: 500, code: 'InternalError' },
      { status: 503, body: '' },
    ],
  ],
])('a request %s is sent again, and creates one invalidation', async (_what, faults) => {
  cloudFront.fail(...faults)
  const { requested, warnings } = await request()
  expect(warnings).toEqual([])
  expect(cloudFront.requests).toBe(faults.length + 1)
  expect(cloudFront.invalidations).toHaveLength(1)
  expect(requested?.[0]?.id).toBe(cloudFront.invalidations[0]?.id)
})

const denied =
  'User: arn:aws:iam::111122223333:user/deploy is not authorized to perform: cloudfront:CreateInvalidation on resource: ' +
  `arn:aws:cloudfront::111122223333:distribution/${distribution} because no identity-based policy allows the action`

test.each<[fault: Fault, says: string]>([
  [
    { status: 403, code: 'AccessDenied', message: denied },
    `access denied; it needs cloudfront:CreateInvalidation on arn:aws:cloudfront::111122223333:distribution/${distribution} (AccessDenied). Allow it in the policy of the user or role.`,
  ],
  [
    { status: 403, code: 'AccessDenied', message: 'Access denied' },
    `it needs cloudfront:CreateInvalidation on arn:aws:cloudfront::*:distribution/${distribution} (AccessDenied)`,
  ],
  [{ status: 404, code: 'NoSuchDistribution' }, 'no such distribution (NoSuchDistribution). Check its ID.'],
  [{ status: 400, code: 'TooManyInvalidationsInProgress' }, 'in progress (TooManyInvalidationsInProgress)'],
  [
    { status: 400, code: 'InvalidArgument', message: 'bad path' },
    'CloudFront refuses the request: bad path (InvalidArgument).',
  ],
  [{ status: 400, code: 'Throttling' }, 'CloudFront asks to slow down, after 5 attempts (Throttling).'],
  [{ status: 500, code: 'InternalError' }, 'CloudFront is in trouble (status 500), after 5 attempts (InternalError).'],
  [{ status: 403, code: 'InvalidClientTokenId' }, "takes AWS's keys only"],
  [{ status: 201, body: '<html>sign in</html>' }, "the response is not CloudFront's: check the proxy"],
])('%j is a warning that begins with the setting, and ends with the command', async (fault, says) => {
  cloudFront.fail(...Array.from({ length: 5 }, () => fault))
  const { requested, warnings } = await request()
  expect(requested).toEqual([])
  const [warning = '', ...others] = warnings
  expect(others).toEqual([])
  expect(warning).toMatch(
    new RegExp(`^AWS_CLOUDFRONT_DISTRIBUTION_ID is "${distribution}": the bucket is up to date, but `),
  )
  expect(warning).toContain(says)
  expect(warning).toMatch(/\nTo invalidate .*: aws cloudfront create-invalidation .* --paths '\/static\/about.html\*'$/)
  expect(warning).not.toContain(server.credentials.secretAccessKey)
})

test('a distribution that fails leaves the others alone', async () => {
  cloudFront.fail({ status: 403, code: 'AccessDenied' })
  const { requested, warnings } = await request({ cloudfront: { distributionId: [distribution, otherDistribution] } })
  expect(requested).toHaveLength(1)
  expect(warnings).toEqual([expect.stringMatching(/^option `cloudfront.distributionId` is "/)])
})

test('a silent CloudFront holds the deploy for a minute at most', async () => {
  shorten(60_000)
  cloudFront.fail('silent')
  const { warnings } = await request()
  expect(warnings).toEqual([expect.stringContaining('CloudFront did not answer within 60 seconds\nTo invalidate')])
})

test('with `wait`, a deploy waits for the end of each invalidation', async () => {
  shorten(3000)
  cloudFront.inProgress = 2
  const cloudfront = { distributionId: [distribution, otherDistribution], wait: true }
  const { requested, warnings } = await request({ cloudfront })
  expect(warnings).toEqual([])
  expect(requested).toHaveLength(2)
  expect(cloudFront.requests).toBe(2 + 2 + 2)
})

test('a stop ends the wait, but not the deploy', async () => {
  cloudFront.inProgress = 1
  const stop = new AbortController()
  const waiting = request({ cloudfront: { distributionId: distribution, wait: true } }, stop.signal)
  await vi.waitFor(() => expect(cloudFront.requests).toBe(2), { timeout: 60_000 })
  stop.abort(new Error('stopped'))
  expect(await waiting).toMatchObject({ requested: [{ paths }], warnings: [] })
})

test('a stop ends the wait for onReleased, and the release is live', async () => {
  const stop = new AbortController()
  const warnings: string[] = []
  const onReleased = () => {
    stop.abort(new Error('stopped'))
    return new Promise(() => {})
  }
  const settings = { onReleased } as unknown as Settings
  const input = { warn: (warning: string) => void warnings.push(warning), signal: stop.signal }
  await callOnReleased(settings, { status: 'live' } as Result, input)
  expect(warnings).toEqual(['`onReleased` failed, but the release is live: stopped'])
})

test('a missing right is a warning', async () => {
  cloudFront.refusesStatus = true
  const { requested, warnings } = await request({ cloudfront: { distributionId: distribution, wait: true } })
  expect(requested).toHaveLength(1)
  expect(warnings).toEqual([
    expect.stringMatching(/may not be complete: .* it needs cloudfront:GetInvalidation on arn:/),
  ])
})

test('a stopped deploy ends without a record, so that the next one invalidates', async () => {
  const stop = new AbortController()
  stop.abort(new Error('stopped'))
  await expect(request({}, stop.signal)).rejects.toThrow('stopped')
})

test.each<[region: string, host: string, signedFor: string]>([
  ['eu-central-1', 'cloudfront.amazonaws.com', 'us-east-1'],
  ['auto', 'cloudfront.amazonaws.com', 'us-east-1'],
  ['cn-north-1', 'cloudfront.cn-northwest-1.amazonaws.com.cn', 'cn-northwest-1'],
])('a bucket in %s asks %s', (region, host, signedFor) => {
  const call = invalidationRequest({ distribution, region, endpoint: undefined }, paths, 'r')
  expect([call.url.host, call.region]).toEqual([host, signedFor])
})

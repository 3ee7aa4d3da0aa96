import { randomBytes } from 'node:crypto'
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { settingsFor } from '../../fixtures/s3/connection.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import type { PolicyStatement } from '../../src/bucket/configuration.js'
import { type BucketSetup, prepareSetup, type SetupOptions } from '../../src/deploy/commands/setup.js'
import { openConfiguration } from '../../src/s3/configuration/s3-configuration.js'
import type { Settings } from '../../src/settings/settings.js'

// The embedded server in the place of AWS: new buckets are locked, and there is an ownership.

let s3: EmbeddedS3
const open: BucketSetup[] = []

beforeAll(async () => {
  s3 = await startEmbedded({ newBuckets: 'locked' })
})
afterEach(() => {
  s3.server.intercept = undefined
  for (const { close } of open.splice(0)) close()
})
afterAll(() => s3.close())

const newName = () => `site-${randomBytes(6).toString('hex')}`

async function prepare(bucket: string, more: Partial<SetupOptions> = {}, settings: Partial<Settings> = {}) {
  const names = { ...settingsFor(s3, bucket), location: 'static', objectParameters: {}, rules: [] }
  const aws = { ...names, endpoint: undefined, ...settings } as unknown as Settings
  const setup = await prepareSetup(aws, { readers: {}, isPublic: false, origins: undefined, ...more }, async () =>
    openConfiguration({ ...aws, endpoint: s3.endpoint }),
  )
  open.push(setup)
  return setup
}

const partsOf = ({ changes }: BucketSetup) => changes.map(({ part }) => part)
const writes = () => s3.server.requests.filter(({ method }) => method === 'PUT').map(({ operation }) => operation)
const statusOf = async (bucket: string, key: string) => (await fetch(`${s3.endpoint}/${bucket}/${key}`)).status

const fail = (operation: string, status: number, code: string) => {
  s3.server.intercept = (request) => (request.operation === operation ? { status, code } : undefined)
}

describe('on AWS', () => {
  it('a bucket is created, and opened last', async () => {
    const bucket = newName()
    const setup = await prepare(bucket)
    s3.server.reset()
    expect(await setup.apply()).toEqual([])
    expect(writes()).toEqual([
      'CreateBucket',
      'PutBucketLifecycleConfiguration',
      'PutBucketCors',
      'PutPublicAccessBlock',
      'PutBucketPolicy',
      'PutPublicAccessBlock',
    ])
    const bytes = { body: Buffer.from('x') }
    s3.server.seed(bucket, [
      { key: 'static/a.js', ...bytes },
      { key: 'static-admin/a.js', ...bytes },
      { key: '.static-s3/static/lock', ...bytes },
    ])
    expect(await statusOf(bucket, 'static/a.js')).toBe(200)
    expect(await statusOf(bucket, 'static-admin/a.js')).toBe(403)
    expect(await statusOf(bucket, '.static-s3/static/lock')).toBe(403)
    expect(await statusOf(bucket, '?list-type=2')).toBe(403)

    const again = await prepare(bucket)
    expect({ isNew: again.isNew, parts: partsOf(again), warnings: again.warnings }).toEqual({
      isNew: false,
      parts: [],
      warnings: [],
    })
  })

  it('a refused policy leaves the bucket closed, and the error says what was applied', async () => {
    const bucket = newName()
    fail('PutBucketPolicy', 403, 'AccessDenied')
    const setup = await prepare(bucket)
    await expect(setup.apply()).rejects.toThrow(
      new RegExp(
        `it needs s3:PutBucketPolicy on arn:aws:s3:::${bucket} \\(AccessDenied\\)[^]*\ns3://${bucket}: applied: bucket, lifecycle rules, CORS rules\\. ` +
          'Not applied: bucket policy, public access block\\. Then run setup again',
      ),
    )
    s3.server.intercept = undefined
    const again = await prepare(bucket)
    expect(partsOf(again)).toEqual(['bucket policy', 'public access block'])
    await again.apply()
    expect(partsOf(await prepare(bucket))).toEqual([])
  })

  it('each request may be the last: nothing is open before the last one, and a second run goes on', async () => {
    const names = ['PutBucketOwnershipControls', 'PutBucketLifecycleConfiguration', 'PutBucketCors']
    const all = [...names, 'PutPublicAccessBlock', 'PutBucketPolicy', 'PutPublicAccessBlock']
    for (const last of all.keys()) {
      const bucket = await s3.createBucket()
      const { configuration, close } = openConfiguration(settingsFor(s3, bucket))
      // Somebody opened everything, and the block holds.
      const Statement: PolicyStatement[] = [
        { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` },
      ]
      await configuration.putPublicAccessBlock({ BlockPublicPolicy: false, RestrictPublicBuckets: true })
      await configuration.putPolicy({ Statement })
      await configuration.putPublicAccessBlock({ BlockPublicPolicy: true, RestrictPublicBuckets: true })
      await configuration.putOwnership('BucketOwnerPreferred')
      close()
      const bytes = { body: Buffer.from('x') }
      s3.server.seed(
        bucket,
        ['static/a.js', '.static-s3/static/lock'].map((key) => ({ key, ...bytes })),
      )

      const setup = await prepare(bucket)
      let writes = 0
      s3.server.intercept = ({ method, operation }) => {
        if (method !== 'PUT') return undefined
        expect(operation).toBe(all[writes])
        return writes++ < last ? undefined : { status: 403, code: 'AccessDenied' }
      }
      await expect(setup.apply()).rejects.toThrow(/Not applied: .*public access block\. Then run setup again/)
      s3.server.intercept = undefined
      expect([await statusOf(bucket, 'static/a.js'), await statusOf(bucket, '.static-s3/static/lock')]).toEqual([
        403, 403,
      ])
      await (await prepare(bucket)).apply()
      expect([await statusOf(bucket, 'static/a.js'), await statusOf(bucket, '.static-s3/static/lock')]).toEqual([
        200, 403,
      ])
      expect(partsOf(await prepare(bucket))).toEqual([])
    }
  })

  it.each(['PutBucketPolicy', 'PutPublicAccessBlock'])(
    '405 to %s is no lack of the store, but an error',
    async (operation) => {
      const setup = await prepare(newName())
      fail(operation, 405, 'MethodNotAllowed')
      await expect(setup.apply()).rejects.toThrow(
        /\(MethodNotAllowed\).*Not applied: bucket policy, public access block/s,
      )
    },
  )

  it('a location that CloudFront reads becomes public with isPublic, and stays so', async () => {
    const bucket = newName()
    const distribution = 'arn:aws:cloudfront::111122223333:distribution/E1ABC'
    await (await prepare(bucket, { readers: { distribution } })).apply()
    s3.server.seed(bucket, [{ key: 'static/a.js', body: Buffer.from('x') }])
    expect(partsOf(await prepare(bucket))).toEqual([])
    const opening = await prepare(bucket, { isPublic: true })
    expect(opening.difference.join('\n')).toMatch(/\n-.*E1ABC.*\n\+ {3}"Principal": "\*"/s)
    expect(await statusOf(bucket, 'static/a.js')).toBe(403)
    await opening.apply()
    expect(await statusOf(bucket, 'static/a.js')).toBe(200)
    expect(partsOf(await prepare(bucket))).toEqual([])
    expect(partsOf(await prepare(bucket, { isPublic: true }))).toEqual([])
  })

  it('a policy that the account blocks gets its own remedy', async () => {
    const bucket = await s3.createBucket()
    const message = 'public policies are blocked by the BlockPublicPolicy block public access setting.'
    s3.server.intercept = ({ operation }) =>
      operation === 'PutBucketPolicy' ? { status: 403, code: 'AccessDenied', message } : undefined
    await expect((await prepare(bucket)).apply()).rejects.toThrow(
      /The account or organization may block public policies/,
    )
  })
})

describe('a setup stops before its first write', () => {
  it('at a bucket in another region', async () => {
    const bucket = await s3.createBucket()
    await expect(prepare(bucket, {}, { region: 'eu-west-1' })).rejects.toThrow(/AWS_S3_REGION_NAME=us-east-1/)
  })

  it("at somebody else's bucket", async () => {
    const bucket = await s3.createBucket()
    await expect(prepare(bucket, {}, { credentials: s3.other })).rejects.toThrow(
      /If it belongs to somebody else, set AWS_STORAGE_BUCKET_NAME/,
    )
  })

  it('at a wrong key, which says nothing about the bucket', async () => {
    const settings = settingsFor(s3, await s3.createBucket())
    const wrong = { ...settings.credentials, secretAccessKey: 'wrong' } as Settings['credentials']
    const error = await prepare(settings.bucket, {}, { credentials: wrong }).catch(String)
    expect(error).toMatch(/\(SignatureDoesNotMatch\)(?!.*somebody else)/s)
  })

  it('at a bucket of another account, whose policy AWS answers with 405', async () => {
    const bucket = await s3.createBucket()
    fail('GetBucketPolicy', 405, 'MethodNotAllowed')
    await expect(prepare(bucket)).rejects.toThrow(/\(MethodNotAllowed\).*the bucket's own account may set it up/s)
  })

  it('at a configuration that may not be read', async () => {
    const bucket = await s3.createBucket()
    fail('GetBucketCors', 403, 'AccessDenied')
    await expect(prepare(bucket)).rejects.toThrow(/s3:GetBucketCORS/)
  })
})

describe('a bucket that changed since the difference was shown is left alone', () => {
  it('because somebody wrote a statement', async () => {
    const bucket = await s3.createBucket()
    const setup = await prepare(bucket)
    const Statement = { Effect: 'Deny', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/x/*` }
    await s3.client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ Statement }) }))
    s3.server.reset()
    await expect(setup.apply()).rejects.toThrow(`s3://${bucket} changed while setup asked: run it again`)
    expect(writes()).toEqual([])
  })

  it('because somebody created it', async () => {
    const bucket = newName()
    const setup = await prepare(bucket)
    await s3.createBucket(bucket)
    s3.server.reset()
    await expect(setup.apply()).rejects.toThrow(`s3://${bucket} changed while setup asked: run it again`)
    expect(writes()).toEqual([])
  })
})

it.each<[part: string, operation: string, status: number, code: string]>([
  ['lifecycle rules', 'GetBucketLifecycleConfiguration', 501, 'NotImplemented'],
  ['lifecycle rules', 'PutBucketLifecycleConfiguration', 405, 'MethodNotAllowed'],
  ['bucket policy', 'PutBucketPolicy', 405, 'MethodNotAllowed'],
])('another store without %s (%s) gets a sentence, and the rest', async (part, operation, status, code) => {
  const bucket = await s3.createBucket(undefined, { public: 'nothing/' })
  const there = { endpoint: s3.endpoint }
  fail(operation, status, code)
  const setup = await prepare(bucket, {}, there)
  const lacks = [...setup.warnings, ...(await setup.apply())]
  expect(lacks).toEqual([expect.stringContaining(`the store has no ${part} (${code}).`)])
  s3.server.intercept = undefined
  expect(partsOf(await prepare(bucket, {}, there))).toEqual([part])
})

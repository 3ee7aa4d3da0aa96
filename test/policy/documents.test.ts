import { anonymousPrincipal, runSimulation, type SimulationRequestPrincipal } from '@cloud-copilot/iam-simulate'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { PolicyDocument } from '../../src/bucket/configuration.js'
import { bucketPolicy, bucketPolicySids } from '../../src/policy/bucket.js'
import { type DeployRights, deployPolicy } from '../../src/policy/iam.js'
import { distributionArn, type PolicyNames } from '../../src/policy/names.js'
import { isJob, trustPolicy } from '../../src/policy/trust.js'
import { awsDomain, awsPartition } from '../../src/urls/public-url.js'

// What the documents allow, as AWS evaluates them.

const account = '123456789012'
const names: PolicyNames = { bucket: 'my-bucket', location: 'static', region: 'eu-central-1', endpoint: undefined }
const distribution = `arn:aws:cloudfront::${account}:distribution/E2EXAMPLE`

interface Request {
  as?: SimulationRequestPrincipal
  action: string
  on: string
  context?: Record<string, string>
  identity?: PolicyDocument
  bucket?: PolicyDocument | undefined
}

async function allows({ as, action, on, context = {}, identity, bucket }: Request): Promise<boolean> {
  const partition = on.split(':')[1]
  const principal = as ?? `arn:${partition}:iam::${account}:role/deploy`
  // As AWS documents these keys. The simulator sets neither.
  const from = typeof principal === 'string' ? principal.split(':')[4] : 'anonymous'
  const accounts = { 'aws:ResourceAccount': account, ...(from ? { 'aws:PrincipalAccount': from } : {}) }
  const result = await runSimulation(
    {
      request: {
        principal,
        action,
        resource: { resource: on, accountId: account },
        contextVariables: { ...accounts, ...context },
      },
      identityPolicies: identity ? [{ name: 'deploy', policy: identity }] : [],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(bucket ? { resourcePolicy: bucket } : {}),
    },
    {},
  )
  if (result.resultType !== 'single') throw new Error(JSON.stringify(result))
  return result.overallResult === 'Allowed'
}

/** All requests of a deploy to a location, with the action that each of them needs. */
function requestsOf({ bucket, location, region }: PolicyNames): Required<Pick<Request, 'action' | 'on' | 'context'>>[] {
  const arn = `arn:${awsPartition(region)}:s3:::${bucket}`
  const prefix = location === '' ? '' : `${location}/`
  const records = `.static-s3/${prefix}releases/`
  const list = (at: string) => ({ action: 's3:ListBucket', on: arn, context: { 's3:prefix': at } })
  const object = (action: string, key: string) => ({ action, on: `${arn}/${key}`, context: {} })
  return [
    list(prefix),
    list(records),
    { action: 's3:ListBucketMultipartUploads', on: arn, context: {} },
    { action: 's3:GetBucketCORS', on: arn, context: {} },
    ...['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'].map((action) =>
      object(action, `${prefix}assets/a-B4.js`),
    ),
    ...['s3:GetObject', 's3:PutObject'].map((action) => object(action, `${records}99999998.lock`)),
  ]
}

describe('the rights to deploy', () => {
  test.each<[location: string, region: string]>([
    ['static', 'eu-central-1'],
    ['', 'us-east-1'],
    ['sites/my.site-1', 'cn-north-1'],
    ['a', 'us-gov-west-1'],
  ])(
    'to "%s" in %s allow every request of a deploy, and without any one of them a request is refused',
    async (location, region) => {
      const here = { ...names, location, region }
      const requests = requestsOf(here)
      const allowed = (identity: PolicyDocument) => Promise.all(requests.map((each) => allows({ ...each, identity })))
      const policy = deployPolicy(here)
      expect(await allowed(policy)).toEqual(requests.map(() => true))
      const actions = policy.Statement.flatMap(({ Action }) => Action)
      expect(actions).toHaveLength(6)
      for (const action of actions) {
        const without = policy.Statement.map((each) => ({
          ...each,
          Action: [each.Action ?? []].flat().filter((a) => a !== action),
        }))
        const kept = { ...policy, Statement: without.filter(({ Action }) => Action.length > 0) }
        expect(await allowed(kept)).toEqual(requests.map((each) => each.action !== action))
      }
      const resources = policy.Statement.flatMap(({ Resource }) => [Resource ?? []].flat())
      for (const resource of resources.filter((each) => each.endsWith('*'))) {
        const without = policy.Statement.map((each) => ({
          ...each,
          Resource: [each.Resource ?? []].flat().filter((r) => r !== resource),
        }))
        expect(
          await allowed({ ...policy, Statement: without.filter(({ Resource }) => Resource.length > 0) }),
        ).toContain(false)
      }
    },
  )

  it('do not reach beside the location', async () => {
    const identity = deployPolicy(names, { prune: true })
    const arn = 'arn:aws:s3:::my-bucket'
    const on = (key: string) => `${arn}/${key}`
    const listing = (prefix?: string): Request => ({
      ...{ action: 's3:ListBucket', on: arn, identity },
      context: prefix === undefined ? {} : { 's3:prefix': prefix },
    })
    for (const prefix of ['', 'static', 'static-admin/', '.static-s3/', 'media/', undefined]) {
      expect([prefix, await allows(listing(prefix))]).toEqual([prefix, false])
    }
    for (const key of ['index.html', 'static', 'static-admin/a', '.static-s3/media/releases/1', 'media/a']) {
      expect([key, await allows({ action: 's3:PutObject', on: on(key), identity })]).toEqual([key, false])
      expect([key, await allows({ action: 's3:DeleteObject', on: on(key), identity })]).toEqual([key, false])
    }
    expect(await allows({ action: 's3:PutObject', on: 'arn:aws:s3:::other/static/a', identity })).toBe(false)
  })

  test.each<[rights: DeployRights, action: string, on: string]>([
    [{ prune: true }, 's3:DeleteObject', 'arn:aws:s3:::my-bucket/static/a.js'],
    [{ prune: true }, 's3:DeleteObject', 'arn:aws:s3:::my-bucket/.static-s3/static/objects/0a'],
    [{ tag: true }, 's3:GetObjectTagging', 'arn:aws:s3:::my-bucket/.static-s3/static/objects/0a'],
    [{ tag: true }, 's3:PutObjectTagging', 'arn:aws:s3:::my-bucket/static/a.js'],
    [{ setup: true }, 's3:CreateBucket', 'arn:aws:s3:::my-bucket'],
    [{ setup: true }, 's3:PutBucketPolicy', 'arn:aws:s3:::my-bucket'],
    [{ setup: true }, 's3:PutLifecycleConfiguration', 'arn:aws:s3:::my-bucket'],
    [{ distribution: distributionArn('E2EXAMPLE', names) }, 'cloudfront:CreateInvalidation', distribution],
    [{ parameters: [{}, { ACL: 'public-read' }] }, 's3:PutObjectAcl', 'arn:aws:s3:::my-bucket/static/a.js'],
    [{ parameters: [{ Tagging: 'a=b' }] }, 's3:PutObjectTagging', 'arn:aws:s3:::my-bucket/.static-s3/static/a'],
    [{ parameters: [{ ObjectLockMode: 'GOVERNANCE' }] }, 's3:PutObjectRetention', 'arn:aws:s3:::my-bucket/static/a.js'],
  ])('%j: with %s, which no other deploy has', async (rights, action, on) => {
    expect(await allows({ action, on, identity: deployPolicy(names, rights) })).toBe(true)
    expect(await allows({ action, on, identity: deployPolicy(names) })).toBe(false)
  })

  it('with a KMS key, the rights to use it', () => {
    const arn = 'arn:aws:kms:eu-central-1:123456789012:key/a'
    const parameters = [{ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: arn }]
    expect(deployPolicy(names, { parameters }).Statement.at(-1)).toMatchObject({
      ...{ Action: ['kms:GenerateDataKey', 'kms:Decrypt'], Resource: [arn] },
    })
  })
})

describe("the bucket's policy", () => {
  const cloudFront = (arn: string): Pick<Request, 'as' | 'context'> => ({
    ...{ as: 'cloudfront.amazonaws.com', context: { 'aws:SourceArn': arn } },
  })
  const get = (key: string, more: Partial<Request>) =>
    allows({ action: 's3:GetObject', on: `arn:aws:s3:::my-bucket/${key}`, ...more })
  const anonymous = { as: anonymousPrincipal }
  const broad: PolicyDocument['Statement'][number] = {
    ...{ Sid: 'Theirs', Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::my-bucket/*' },
  }

  test.each(['static', ''])(
    'of location "%s" lets everybody read it, and nobody the records, even beside a broader statement',
    async (location) => {
      const bucket = bucketPolicy({ ...names, location })
      const prefix = location === '' ? '' : 'static/'
      const record = `.static-s3/${prefix}releases/99999998.json.gz`
      expect(await get(`${prefix}a.js`, { ...anonymous, bucket })).toBe(true)
      expect(await get(record, { ...anonymous, bucket })).toBe(false)
      if (location !== '') expect(await get('static-admin/a.js', { ...anonymous, bucket })).toBe(false)

      const both = { ...bucket, Statement: [broad, ...bucket.Statement] }
      const open = { ...bucket, Statement: [broad] }
      const stranger = { as: 'arn:aws:iam::999999999999:user/x', identity: deployPolicy({ ...names, location }) }
      expect(await get(record, { ...anonymous, bucket: open })).toBe(true)
      expect(await get(record, { ...anonymous, bucket: both })).toBe(false)
      expect(await get(record, { ...stranger, bucket: both })).toBe(false)
      expect(await get(record, { identity: deployPolicy({ ...names, location }), bucket: both })).toBe(true)
    },
  )

  it('for a distribution lets no other one read, and nobody else', async () => {
    const bucket = bucketPolicy(names, { distribution })
    expect(await get('static/a.js', { ...cloudFront(distribution), bucket })).toBe(true)
    expect(await get('static/a.js', { ...cloudFront(`${distribution}X`), bucket })).toBe(false)
    expect(await get('static/a.js', { ...anonymous, bucket })).toBe(false)
    const both = { ...bucket, Statement: [broad, ...bucket.Statement] }
    expect(await get('.static-s3/static/a', { ...cloudFront(distribution), bucket: both })).toBe(false)
  })

  it('for addresses and referers', async () => {
    const bucket = bucketPolicy(names, { from: ['192.0.2.0/24'], referers: ['https://www.example.com/*'] })
    const asked = (ip: string, referer: string) =>
      get('static/a.js', { ...anonymous, bucket, context: { 'aws:SourceIp': ip, 'aws:Referer': referer } })
    expect(await asked('192.0.2.7', 'https://www.example.com/a')).toBe(true)
    expect(await asked('198.51.100.7', 'https://www.example.com/a')).toBe(false)
    expect(await asked('192.0.2.7', 'https://example.net/')).toBe(false)
  })

  it('with immutable files lets a deploy create them, and nobody overwrite them', async () => {
    const bucket = bucketPolicy(names, { immutable: ['assets/*'] })
    const put = (key: string, context: Record<string, string>) =>
      allows({
        action: 's3:PutObject',
        on: `arn:aws:s3:::my-bucket/${key}`,
        context,
        bucket,
        identity: deployPolicy(names),
      })
    const creates = { 's3:ObjectCreationOperation': 'true' }
    expect(await put('static/assets/a.js', { ...creates, 's3:if-none-match': '*' })).toBe(true)
    expect(await put('static/assets/a.js', creates)).toBe(false)
    // The start and the parts of a multipart upload.
    expect(await put('static/assets/a.bin', { 's3:ObjectCreationOperation': 'false' })).toBe(true)
    expect(await put('static/index.html', creates)).toBe(true)
    expect(await put('.static-s3/static/releases/1.lock', creates)).toBe(true)
  })

  it('of another store has no condition that only AWS knows', () => {
    const text = JSON.stringify(bucketPolicy({ ...names, location: '', endpoint: 'https://s3.example.com' }))
    expect(text).toContain('"NotResource":"arn:aws:s3:::my-bucket/.static-s3/*"')
    expect(text).not.toContain('Condition')
  })
})

describe('trust', () => {
  const sub = 'token.actions.githubusercontent.com:sub'
  const aud = 'token.actions.githubusercontent.com:aud'
  const conditionOf = (policy: PolicyDocument, i = 0) => policy.Statement[i]?.Condition?.StringEquals

  it('of GitHub: a branch or an environment, and nothing else', () => {
    const github = ['o/r', 'o/r:refs/tags/v1', 'o@1/r@2:production']
    expect(conditionOf(trustPolicy('eu-central-1', account, { github }))).toEqual({
      [aud]: 'sts.amazonaws.com',
      [sub]: ['repo:o/r:ref:refs/heads/main', 'repo:o/r:ref:refs/tags/v1', 'repo:o@1/r@2:environment:production'],
    })
  })

  it('of GitLab, in China', () => {
    const policy = trustPolicy('cn-north-1', account, { github: ['o/r'], gitlab: ['g/sub/p', 'g/p:release/1'] })
    expect(conditionOf(policy)?.[aud]).toBe('sts.amazonaws.com.cn')
    expect(policy.Statement[1]?.Principal).toEqual({ Federated: `arn:aws-cn:iam::${account}:oidc-provider/gitlab.com` })
    expect(conditionOf(policy, 1)?.['gitlab.com:sub']).toEqual([
      'project_path:g/sub/p:ref_type:branch:ref:main',
      'project_path:g/p:ref_type:branch:ref:release/1',
    ])
  })

  test.each(['o', 'o/*', 'o/r:*', 'o/r?', '', 'o//r', 'repo:o/r', 'o/r:a:b'])('%s is no job', (job) => {
    expect(isJob(job)).toBe(false)
  })
})

describe('names', () => {
  test.each([
    ['eu-central-1', 'aws', 'amazonaws.com'],
    ['cn-northwest-1', 'aws-cn', 'amazonaws.com.cn'],
    ['us-gov-east-1', 'aws-us-gov', 'amazonaws.com'],
    ['eusc-de-east-1', 'aws-eusc', 'amazonaws.eu'],
    ['us-iso-east-1', 'aws-iso', 'c2s.ic.gov'],
    ['us-isob-east-1', 'aws-iso-b', 'sc2s.sgov.gov'],
    ['us-isof-south-1', 'aws-iso-f', 'csp.hci.ic.gov'],
    ['eu-isoe-west-1', 'aws-iso-e', 'cloud.adc-e.uk'],
  ])('%s is in the partition %s', (region, partition, domain) => {
    expect([awsPartition(region), awsDomain(region)]).toEqual([partition, domain])
  })

  test.each([
    ['E2X', `arn:aws:cloudfront::*:distribution/E2X`],
    [`${account}:E2X`, `arn:aws:cloudfront::${account}:distribution/E2X`],
    [distribution, distribution],
    ['arn:aws:s3:::a', undefined],
    ['12:E2X', undefined],
    ['d111.cloudfront.net', undefined],
  ])('distribution %s', (named, arn) => {
    expect(distributionArn(named, names)).toBe(arn)
  })

  it('of statements are letters and digits, and no two locations share one', () => {
    const location = fc
      .array(
        fc.stringMatching(/^[\w.~-]{1,6}$/).filter((part) => !/^\.{1,2}$/.test(part)),
        { maxLength: 3 },
      )
      .map((parts) => parts.join('/'))
    fc.assert(
      fc.property(location, location, (one, two) => {
        const sids = [
          ...bucketPolicySids(one),
          ...deployPolicy({ ...names, location: one }).Statement.map(({ Sid }) => Sid),
        ]
        for (const sid of sids) expect(sid).toMatch(/^StaticS3[A-Za-z0-9]+$/)
        if (one !== two) expect(bucketPolicySids(two).filter((sid) => sids.includes(sid))).toEqual([])
      }),
    )
    expect(bucketPolicySids('static')).toEqual([
      'StaticS3ReadStatic',
      'StaticS3DenyRecordsStatic',
      'StaticS3KeepFilesStatic',
    ])
  })
})

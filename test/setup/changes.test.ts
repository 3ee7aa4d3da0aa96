import { describe, expect, it } from 'vitest'
import type { CorsRule, LifecycleRule, PolicyStatement } from '../../src/bucket/configuration.js'
import { type BucketState, changesOf, newElsewhere, newOnAws, type Wanted } from '../../src/setup/changes.js'
import { concernsOf } from '../../src/setup/concerns.js'
import { differenceOf } from '../../src/setup/difference.js'

const names = { bucket: 'site', location: 'static', region: 'eu-west-1', endpoint: undefined }
const atStore = { ...names, endpoint: 'https://s3.example.com' }
const distribution = 'arn:aws:cloudfront::123456789012:distribution/E1ABC'

const wanted = (more: Partial<Wanted> = {}): Wanted => ({
  names,
  readers: {},
  isPublic: false,
  origins: undefined,
  usesAcl: false,
  ...more,
})
const partsOf = (state: BucketState, more: Partial<Wanted> = {}) =>
  changesOf(state, wanted(more)).map(({ part }) => part)

/** The state after all changes. */
async function after(state: BucketState, more: Partial<Wanted> = {}): Promise<BucketState> {
  const next = { ...state }
  const set = (value: Partial<BucketState>) => Promise.resolve(void Object.assign(next, value))
  for (const { write } of changesOf(state, wanted(more))) {
    await write({
      putPolicy: (policy: BucketState['policy']) => set({ policy }),
      putCorsRules: (corsRules: CorsRule[]) => set({ corsRules }),
      putLifecycleRules: (lifecycleRules: LifecycleRule[]) => set({ lifecycleRules }),
      putOwnership: (ownership: string) => set({ ownership }),
      putPublicAccessBlock: (publicAccessBlock: BucketState['publicAccessBlock']) => set({ publicAccessBlock }),
    } as never)
  }
  return next
}

const foreign: PolicyStatement = { Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::site/x/*' }
const policyOf = (...Statement: PolicyStatement[]) => ({ Version: '2012-10-17', Id: 'theirs', Statement })
const everything = {
  Effect: 'Allow' as const,
  Principal: { AWS: '*' },
  Action: ['s3:Get*'],
  Resource: ['arn:aws:s3:::site/*'],
}

describe('the changes of a new bucket', () => {
  it('open it last', () => {
    expect(partsOf(newOnAws)).toEqual(['lifecycle rules', 'CORS rules', 'bucket policy', 'public access block'])
  })

  it('for CloudFront, leave the public access block on', async () => {
    expect(partsOf(newOnAws, { readers: { distribution } })).toEqual(['lifecycle rules', 'CORS rules', 'bucket policy'])
  })

  it('serve all previews of a template, and a second setup changes nothing', async () => {
    const previews = { names: { ...names, location: 'previews/*' } }
    const set = await after(newOnAws, previews)
    expect(set.policy?.Statement[0]).toMatchObject({ Resource: 'arn:aws:s3:::site/previews/*/*' })
    expect(set.lifecycleRules).toMatchObject([{ Filter: { Prefix: 'previews/' } }])
    expect(partsOf(set, previews)).toEqual([])
  })

  it('on another store, have no ownership and no public access block', () => {
    expect(partsOf(newElsewhere, { names: atStore })).toEqual(['lifecycle rules', 'CORS rules', 'bucket policy'])
  })

  it.each([
    {},
    { readers: { distribution } },
    { readers: { immutable: ['assets/*'] } },
    { origins: ['https://a.example'] },
  ])('are none in a second run: %j', async (more) => {
    const state = await after(newOnAws, more)
    expect(partsOf(state, more)).toEqual([])
    // Without its flag, a setup keeps the choice of the one before.
    expect(partsOf(state)).toEqual([])
  })

  it('are none in a second run at the root and on another store', async () => {
    const root = { names: { ...atStore, location: '' } }
    expect(partsOf(await after(newElsewhere, root), root)).toEqual([])
  })
})

describe('what others have made', () => {
  it('stays in its place, and as it was', async () => {
    const rule: CorsRule = { AllowedMethods: ['PUT'], AllowedOrigins: ['https://up.example'] }
    const expiry: LifecycleRule = { Status: 'Enabled', Prefix: 'tmp/', Expiration: { Days: 1 } }
    const state = { ...newOnAws, policy: policyOf(foreign), corsRules: [rule], lifecycleRules: [expiry] }
    const next = await after(state)
    expect(next.policy).toMatchObject({ Id: 'theirs', Statement: [foreign, {}, {}] })
    expect(next.corsRules).toEqual([rule, expect.objectContaining({ ID: 'StaticS3' })])
    // S3 does not mix rules with `Prefix` and rules with `Filter`.
    expect(next.lifecycleRules).toEqual([expiry, expect.objectContaining({ Prefix: 'static/' })])
  })

  it('gets the version of the policy language that has variables, and a word about its own', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: text in this version
    const theirs = { ...foreign, Sid: 'Theirs', Resource: 'arn:aws:s3:::site/${x}' }
    for (const Version of ['2008-10-17', undefined]) {
      const { Statement = [] } = (await after(newOnAws)).policy ?? {}
      const policy = { ...(Version && { Version }), Id: 'theirs', Statement: [theirs, ...Statement] }
      const state = { ...newOnAws, policy, publicAccessBlock: {} }
      const policyChanges = changesOf(state, wanted()).filter(({ part }) => part === 'bucket policy')
      expect(policyChanges).toMatchObject([
        { removed: [{ Version: '2008-10-17' }], added: [{ Version: '2012-10-17' }], kept: 1 },
      ])
      expect(concernsOf(state, policyChanges, wanted())).toEqual([
        // biome-ignore lint/suspicious/noTemplateCurlyInString: as printed
        "in the policy's new Version, the ${…} in the statement Theirs is a variable",
      ])
      const next = await after(state)
      expect(next.policy).toEqual({ ...policy, Version: '2012-10-17' })
      expect(partsOf(next)).not.toContain('bucket policy')
    }
    // Our statements have no variable there.
    const old = { ...newElsewhere, policy: { Version: '2008-10-17', Statement: [foreign] } }
    expect((await after(old, { names: atStore })).policy?.Version).toBe('2008-10-17')
  })

  it('is enough if it grants the same', () => {
    const state: BucketState = {
      policy: policyOf(everything),
      corsRules: [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }],
      lifecycleRules: [{ Status: 'Enabled', Filter: {}, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 } }],
    }
    expect(partsOf(state, { names: atStore })).toEqual([])
  })

  it.each<[string, BucketState]>([
    ['a condition', { policy: policyOf({ ...everything, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }) }],
    [
      'a neighbour of the location',
      { policy: policyOf({ ...everything, Resource: 'arn:aws:s3:::site/static-admin/*' }) },
    ],
    ['another action', { policy: policyOf({ ...everything, Action: 's3:GetObjectTagging' }) }],
    ['a Deny', { policy: policyOf({ ...everything, Effect: 'Deny' }) }],
    ['another origin', { corsRules: [{ AllowedMethods: ['GET'], AllowedOrigins: ['https://a.example'] }] }],
    ['another method', { corsRules: [{ AllowedMethods: ['PUT'], AllowedOrigins: ['*'] }] }],
    [
      'a disabled rule',
      {
        lifecycleRules: [
          { Status: 'Disabled', Filter: {}, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 } },
        ],
      },
    ],
    [
      'a rule with a tag',
      {
        lifecycleRules: [
          { Status: 'Enabled', Filter: { Tag: {} }, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 3 } },
        ],
      },
    ],
  ])('is not enough with %s', (_, state) => {
    expect(partsOf(state, { names: atStore })).toHaveLength(1)
  })

  it("keeps the other location's statements and origins", async () => {
    const first = await after(newElsewhere, { names: atStore, origins: ['https://a.example'] })
    const admin = { names: { ...atStore, location: 'static-admin' }, origins: ['https://b.example'] }
    const both = await after(first, admin)
    expect(both.policy?.Statement).toHaveLength(2)
    expect(both.corsRules).toMatchObject([{ AllowedOrigins: ['https://a.example', 'https://b.example'] }])
    expect(partsOf(both, { names: atStore, origins: ['https://a.example'] })).toEqual([])
  })

  it('keeps the public access block open while others let everybody in', async () => {
    const open = { ...newOnAws, policy: policyOf(everything), publicAccessBlock: undefined }
    expect(partsOf(open, { readers: { distribution } })).not.toContain('public access block')
    const alone = { ...newOnAws, publicAccessBlock: undefined }
    expect(partsOf(alone, { readers: { distribution } }).slice(-2)).toEqual(['bucket policy', 'public access block'])
  })

  it('keeps its ACL blocks, and its ACLs if the settings use them', async () => {
    const half = {
      BlockPublicAcls: false,
      IgnorePublicAcls: true,
      BlockPublicPolicy: true,
      RestrictPublicBuckets: false,
    }
    const state = { ...newOnAws, ownership: 'ObjectWriter', publicAccessBlock: half }
    const next = await after(state, { usesAcl: true })
    expect(next.publicAccessBlock).toEqual({ ...half, BlockPublicPolicy: false })
    expect(next.ownership).toBe('ObjectWriter')
    expect((await after(state)).ownership).toBe('BucketOwnerEnforced')
  })
})

describe('readers that the bucket has already', () => {
  const read = { Action: 's3:GetObject', Resource: 'arn:aws:s3:::site/static/*', Effect: 'Allow' as const }
  const cloudFront = { ...read, Principal: { Service: 'cloudfront.amazonaws.com' } }
  const ours = { Sid: 'StaticS3ReadStatic' }
  const everybody = { ...read, ...ours, Principal: '*' }

  it.each<[string, PolicyStatement]>([
    ["the console's statement for CloudFront", { ...cloudFront, Sid: 'AllowCloudFrontServicePrincipal' }],
    ['one without a name', { ...cloudFront, Condition: { StringEquals: { 'AWS:SourceArn': distribution } } }],
    ['ours, with a pattern', { ...cloudFront, ...ours, Condition: { ArnLike: { 'AWS:SourceArn': distribution } } }],
  ])('stay, and keep the bucket private: %s', async (_, statement) => {
    const next = await after({ ...newOnAws, policy: policyOf(statement) })
    expect(next.publicAccessBlock).toEqual(newOnAws.publicAccessBlock)
    const allows = [next.policy?.Statement ?? []].flat().filter(({ Effect }) => Effect === 'Allow')
    expect(allows).toEqual([statement])
  })

  it.each<[string, PolicyStatement['Condition']]>([
    ['addresses', { IpAddress: { 'aws:SourceIp': ['192.0.2.0/24'] } }],
    ['pages', { StringLike: { 'aws:Referer': ['https://a.example/*'] } }],
  ])('stay limited to %s', async (_, Condition) => {
    const statement = { ...everybody, Condition }
    const next = await after({ ...newOnAws, policy: policyOf(statement) })
    expect([next.policy?.Statement].flat()).toContainEqual(statement)
    const cut = await after(
      { ...newOnAws, policy: policyOf({ ...statement, Sid: 'Theirs' }), publicAccessBlock: undefined },
      { readers: { distribution } },
    )
    expect(cut.publicAccessBlock).toBeUndefined()
  })

  it("of CloudFront make room for everybody on request; another's statement stays", async () => {
    const theirs = { ...cloudFront, Sid: 'AllowCloudFrontServicePrincipal' }
    const state = { ...newOnAws, policy: policyOf(theirs, { ...cloudFront, ...ours }) }
    const next = await after(state, { isPublic: true })
    expect(next.policy?.Statement).toEqual([theirs, everybody, expect.objectContaining({ Effect: 'Deny' })])
    expect(next.publicAccessBlock).toMatchObject({ BlockPublicPolicy: false, RestrictPublicBuckets: false })
    expect(partsOf(next)).toEqual([])
    expect(concernsOf(state, [], wanted())).toEqual([])
    expect(concernsOf({ ...newOnAws, policy: policyOf(theirs) }, [], wanted())).toEqual([
      expect.stringMatching(/AllowCloudFrontServicePrincipal, .*--public opens the location/),
    ])
  })

  it('are replaced by those of a flag, with a word on others that let everybody in', async () => {
    const state = { ...newOnAws, policy: policyOf(everybody, { ...everybody, Sid: 'Theirs' }) }
    const readers = { readers: { distribution } }
    const next = await after(state, readers)
    expect(JSON.stringify(next.policy)).toContain(distribution)
    expect(concernsOf(next, [], wanted(readers))).toEqual([
      expect.stringContaining('everybody can still read the files, by the statement Theirs'),
      expect.stringContaining('the public access block stays as it is, for other statements: Theirs'),
    ])
  })

  it('are unknown without the policy, so the block stays', () => {
    expect(partsOf({ ...newOnAws, policy: undefined })).not.toContain('public access block')
  })
})

it('the difference reads as a patch', () => {
  const state = { ...newOnAws, policy: policyOf(foreign) }
  const policy = changesOf(state, wanted()).filter(({ part }) => part === 'bucket policy')
  expect(differenceOf(policy).slice(0, 9)).toEqual([
    '',
    'bucket policy (1 other stays)',
    '+ {',
    '+   "Sid": "StaticS3ReadStatic",',
    '+   "Effect": "Allow",',
    '+   "Principal": "*",',
    '+   "Action": "s3:GetObject",',
    '+   "Resource": "arn:aws:s3:::site/static/*"',
    '+ }',
  ])
})

describe('concerns', () => {
  const listing = {
    Sid: 'Open',
    Effect: 'Allow' as const,
    Principal: '*',
    Action: 's3:*',
    Resource: ['arn:aws:s3:::site', 'arn:aws:s3:::site/*'],
  }
  const concerns = (state: BucketState, more: Partial<Wanted> = {}) =>
    concernsOf(state, changesOf(state, wanted(more)), wanted(more))

  it('name a statement that lists the bucket, or opens the records, to everybody', () => {
    const found = concerns({ ...newElsewhere, policy: policyOf(listing) }, { names: atStore })
    expect(found).toEqual([
      'the statement Open of the policy lets everybody list s3://site: remove s3:ListBucket',
      expect.stringContaining('the statement Open of the policy lets everybody read .static-s3/'),
    ])
  })

  it("name what opens with the public access block, and what an ACL's end closes", () => {
    const found = concerns({ ...newOnAws, ownership: 'ObjectWriter', policy: policyOf(everything) })
    expect(found).toEqual([
      expect.stringContaining('other statements let everybody in too'),
      expect.stringContaining('AWS_DEFAULT_ACL'),
    ])
  })

  it('say that --origin limits no rule that is there', async () => {
    const state = await after(newOnAws)
    expect(concerns(state, { origins: ['https://a.example'] })).toEqual([
      expect.stringContaining('allows every origin'),
    ])
  })

  it('name the origins that --origin does not remove', async () => {
    const state = await after(newOnAws, { origins: ['https://old.example'] })
    const origins = ['https://a.example']
    const keeps = 'the CORS rule StaticS3 also allows https://old.example: --origin only adds'
    expect(concerns(state, { origins })).toEqual([keeps])
    expect(concerns(await after(state, { origins }), { origins })).toEqual([keeps])
    expect(concerns(state, { origins: ['https://old.example'] })).toEqual([])
  })

  it('name a statement by which another account may deploy, if the records are closed to it now', async () => {
    const write = ['s3:GetObject', 's3:PutObject']
    const Resource = ['arn:aws:s3:::site/static/*', 'arn:aws:s3:::site/.static-s3/static/*']
    const deployer = { Sid: 'Deployer', Effect: 'Allow' as const, Action: write, Resource }
    const state = {
      ...newOnAws,
      policy: policyOf({ ...deployer, Principal: { AWS: 'arn:aws:iam::444455556666:root' } }),
    }
    expect(concerns(state)).toEqual([expect.stringMatching(/Deployer lets users upload: .* deploy without records/)])
    expect(concerns(await after(state))).toEqual([])
    expect(
      concerns({ ...state, policy: policyOf({ ...deployer, Action: 's3:GetObject', Principal: { AWS: '4444' } }) }),
    ).toEqual([])
  })

  it('are none for a bucket that only setup configured', async () => {
    expect(concerns(await after(newOnAws))).toEqual([])
    expect(concerns(newOnAws)).toEqual([])
  })
})

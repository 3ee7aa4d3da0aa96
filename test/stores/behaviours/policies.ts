import {
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  GetBucketPolicyCommand,
  PutBucketPolicyCommand,
} from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import {
  behavioursOf,
  bucketWith,
  bucketWithPolicy,
  get,
  head,
  keysOf,
  list,
  policy,
  put,
  type Raw,
  raw,
  read,
} from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('Policies')

behaviour('a private bucket: 403 AccessDenied to everybody else', async (world) => {
  const { s3, other } = world
  const bucket = await bucketWith(world, 'k')
  expect((await raw(s3, `/${bucket}/k`)).status).toBe(403)
  expect((await raw(s3, `/${bucket}/k`, { method: 'PUT', body: 'x' })).status).toBe(403)
  expect(await answerTo(get(other, bucket, 'k'))).toBe('403 AccessDenied')
  expect(await answerTo(put(other, bucket, 'k'))).toBe('403 AccessDenied')
  expect(await answerTo(list(other, bucket))).toBe('403 AccessDenied')
})

behaviour('PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy, 404 NoSuchBucketPolicy', async (world) => {
  const { owner } = world
  const Bucket = await bucketWithPolicy(world, [], {})
  const { Policy } = await owner.send(new GetBucketPolicyCommand({ Bucket }))
  expect(JSON.parse(Policy ?? '')).toEqual(JSON.parse(policy(Bucket, {})))
  await owner.send(new DeleteBucketPolicyCommand({ Bucket }))
  expect(await answerTo(owner.send(new GetBucketPolicyCommand({ Bucket })))).toBe('404 NoSuchBucketPolicy')
})

behaviour('public reading of one prefix: neither its neighbours, nor the listing, nor writing', async (world) => {
  const { s3, owner } = world
  const Bucket = await bucketWithPolicy(world, ['static/a', 'static-admin/a', 'a'], { Resource: '/static/*' })
  const status = async (path: string, options?: Raw) => (await raw(s3, `/${Bucket}${path}`, options)).status
  expect(await status('/static/a')).toBe(200)
  expect(await status('/static-admin/a')).toBe(403)
  expect(await status('/a')).toBe(403)
  expect(await status('/?list-type=2')).toBe(403)
  expect(await status('/static/b', { method: 'PUT', body: '' })).toBe(403)
  expect(await status('/static/a', { method: 'DELETE' })).toBe(403)
  await owner.send(new DeleteBucketPolicyCommand({ Bucket }))
  expect(await status('/static/a')).toBe(403)
})

behaviour('a missing key: 403 without the right to list, 404 with it', async (world) => {
  const { s3 } = world
  const closed = await bucketWithPolicy(world, [], {})
  expect((await raw(s3, `/${closed}/missing`)).status).toBe(403)
  expect((await raw(s3, `/${closed}/missing`, { method: 'HEAD' })).status).toBe(403)
  const open = await bucketWithPolicy(world, [], {}, { Action: 's3:ListBucket', Resource: '' })
  expect((await raw(s3, `/${open}/missing`)).status).toBe(404)
  expect((await raw(s3, `/${open}/missing`, { method: 'HEAD' })).status).toBe(404)
  expect((await raw(s3, `/${open}?list-type=2`)).status).toBe(200)
})

behaviour('a Deny beats an Allow, the owner’s own right too', async (world) => {
  const { s3, owner } = world
  const deny = { Effect: 'Deny' as const, Resource: '/static/private/*' }
  const bucket = await bucketWithPolicy(world, ['static/a', 'static/private/a'], { Resource: '/static/*' }, deny)
  expect((await raw(s3, `/${bucket}/static/a`)).status).toBe(200)
  expect((await raw(s3, `/${bucket}/static/private/a`)).status).toBe(403)
  expect(await answerTo(get(owner, bucket, 'static/private/a'))).toBe('403 AccessDenied')
})

behaviour('wildcards * and ? in a resource', async (world) => {
  const bucket = await bucketWithPolicy(world, ['a1/x.js', 'a12/x.js', 'a1/x.map'], { Resource: '/a?/*.js' })
  const status = async (key: string) => (await raw(world.s3, `/${bucket}/${key}`)).status
  expect(await Promise.all(['a1/x.js', 'a12/x.js', 'a1/x.map'].map(status))).toEqual([200, 403, 403])
})

behaviour('another user gets what the policy says, and nothing else', async (world) => {
  const { s3, other } = world
  const deployer = { Principal: { AWS: s3.other.arn }, Action: ['s3:PutObject'], Resource: '/assets/*' }
  const bucket = await bucketWithPolicy(world, ['assets/mine'], deployer)
  await put(other, bucket, 'assets/k', 'by the other')
  expect(await answerTo(put(other, bucket, 'k'))).toBe('403 AccessDenied')
  expect(await answerTo(get(other, bucket, 'assets/mine'))).toBe('403 AccessDenied')
  expect(await answerTo(other.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'assets/mine' })))).toBe(
    '403 AccessDenied',
  )
  expect(await answerTo(list(other, bucket))).toBe('403 AccessDenied')
  expect((await raw(s3, `/${bucket}/assets/mine`)).status).toBe(403)
})

behaviour('what another user wrote belongs to the owner of the bucket', async (world) => {
  const { s3, other, owner } = world
  const bucket = await bucketWithPolicy(world, [], { Principal: { AWS: s3.other.arn }, Action: 's3:PutObject' })
  await put(other, bucket, 'k')
  expect((await read(owner, bucket, 'k')).toString()).toBe('k')
})

behaviour('s3:* on bucket and objects is everything', async (world) => {
  const { s3, other } = world
  const all = { Principal: { AWS: [s3.other.arn] }, Action: 's3:*', Resource: ['', '/*'] }
  const bucket = await bucketWithPolicy(world, ['k'], all)
  await put(other, bucket, 'l')
  expect(await keysOf(other, bucket)).toEqual(['k', 'l'])
  expect(await answerTo(head(other, bucket, 'missing'))).toBe('404 NotFound')
})

behaviour('listing allowed for one prefix only, by the condition s3:prefix', async (world) => {
  const { s3, other } = world
  const lister = {
    Principal: { AWS: s3.other.arn },
    Action: 's3:ListBucket',
    Resource: '',
    Condition: { StringLike: { 's3:prefix': 'static/*' } },
  }
  const bucket = await bucketWithPolicy(world, ['static/a', 'secret'], lister)
  expect(await keysOf(other, bucket, { Prefix: 'static/' })).toEqual(['static/a'])
  expect(await answerTo(list(other, bucket))).toBe('403 AccessDenied')
  expect(await answerTo(list(other, bucket, { Prefix: 'secret' }))).toBe('403 AccessDenied')
})

const malformedPolicies: [string, (bucket: string) => string][] = [
  ['that is no JSON', () => '{"Statement": ['],
  ['about another bucket', () => policy('another-bucket', {})],
  ['without Effect', (bucket) => policy(bucket, { Effect: undefined }).replace('"Effect":"Allow",', '')],
  ['with an action that there is none of', (bucket) => policy(bucket, { Action: 's3:ReadObject' })],
  ['with an action on objects and a resource that is the bucket', (bucket) => policy(bucket, { Resource: '' })],
  [
    'for a user that there is none of',
    (bucket) => policy(bucket, { Principal: { AWS: 'arn:aws:iam::999999999999:user/x' } }),
  ],
]

for (const [title, text] of malformedPolicies) {
  behaviour(`a policy ${title}: 400 MalformedPolicy`, async (world) => {
    const Bucket = await bucketWithPolicy(world, [], {})
    const result = await answerTo(world.owner.send(new PutBucketPolicyCommand({ Bucket, Policy: text(Bucket) })))
    expect(result).toBe('400 MalformedPolicy')
  })
}

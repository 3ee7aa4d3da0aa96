import { DeleteBucketCorsCommand, GetBucketCorsCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { answerTo } from '../../../fixtures/s3/answer.js'
import { behavioursOf, put, raw, type World } from '../../../fixtures/s3/behaviour.js'

const behaviour = behavioursOf('CORS')

const app = 'https://app.example.com'

/** A public bucket with an object `f`, and one CORS rule. */
async function corsBucket({ s3, owner }: World, origins: string[] = [app]): Promise<string> {
  const Bucket = await s3.createBucket(undefined, { public: '' })
  await put(owner, Bucket, 'f')
  const rule = {
    AllowedOrigins: origins,
    AllowedMethods: ['GET', 'HEAD'],
    AllowedHeaders: ['x-one', 'range'],
    ExposeHeaders: ['ETag'],
    MaxAgeSeconds: 300,
  }
  await owner.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } }))
  return Bucket
}

behaviour('PutBucketCors, GetBucketCors, DeleteBucketCors, 404 NoSuchCORSConfiguration', async (world) => {
  const { owner } = world
  const Bucket = await corsBucket(world)
  const { CORSRules } = await owner.send(new GetBucketCorsCommand({ Bucket }))
  expect(CORSRules).toMatchObject([{ AllowedOrigins: [app], ExposeHeaders: ['ETag'], MaxAgeSeconds: 300 }])
  expect(CORSRules?.[0]?.AllowedMethods?.toSorted()).toEqual(['GET', 'HEAD'])
  await owner.send(new DeleteBucketCorsCommand({ Bucket }))
  expect(await answerTo(owner.send(new GetBucketCorsCommand({ Bucket })))).toBe('404 NoSuchCORSConfiguration')
})

behaviour('a method that CORS has not: 400 InvalidRequest', async ({ s3, owner }) => {
  const Bucket = await s3.createBucket()
  const CORSRules = [{ AllowedOrigins: ['*'], AllowedMethods: ['PATCH'] }]
  const result = await answerTo(owner.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } })))
  expect(result).toBe('400 InvalidRequest')
})

const origins: [string, string[], string | undefined, string | undefined][] = [
  ['the allowed origin', [app], app, app],
  ['another origin', [app], 'https://evil.example', undefined],
  ['the allowed host with another scheme', [app], 'http://app.example.com', undefined],
  ['no Origin', [app], undefined, undefined],
  ['any origin', ['*'], 'https://any.example', '*'],
  ['a subdomain by wildcard', ['https://*.example.com'], app, app],
  ['not the domain itself by that wildcard', ['https://*.example.com'], 'https://example.com', undefined],
]

for (const [title, allowed, origin, expected] of origins) {
  behaviour(`GET from ${title}: Access-Control-Allow-Origin is ${expected}`, async (world) => {
    const bucket = await corsBucket(world, allowed)
    const { status, headers } = await raw(world.s3, `/${bucket}/f`, { headers: origin ? { origin } : {} })
    expect(status).toBe(200)
    expect(headers['access-control-allow-origin']).toBe(expected)
  })
}

behaviour('an answer to an Origin varies by Origin and exposes headers', async (world) => {
  const bucket = await corsBucket(world)
  const { headers } = await raw(world.s3, `/${bucket}/f`, { headers: { origin: app } })
  expect(headers.vary).toContain('Origin')
  expect(headers['access-control-expose-headers']).toBe('ETag')
})

behaviour('without rules there are no CORS headers', async ({ s3, owner }) => {
  const bucket = await s3.createBucket(undefined, { public: '' })
  await put(owner, bucket, 'f')
  const { headers } = await raw(s3, `/${bucket}/f`, { headers: { origin: app } })
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})

const preflights: [string, Record<string, string>, number][] = [
  ['an allowed method', { origin: app, 'access-control-request-method': 'GET' }, 200],
  [
    'an allowed header',
    { origin: app, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-one' },
    200,
  ],
  ['another origin', { origin: 'https://evil.example', 'access-control-request-method': 'GET' }, 403],
  ['another method', { origin: app, 'access-control-request-method': 'PUT' }, 403],
  [
    'another header',
    { origin: app, 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-two' },
    403,
  ],
  ['no Origin', { 'access-control-request-method': 'GET' }, 400],
]

for (const [title, headers, status] of preflights) {
  behaviour(`preflight for ${title}: ${status}`, async (world) => {
    const bucket = await corsBucket(world)
    const reply = await raw(world.s3, `/${bucket}/f`, { method: 'OPTIONS', headers })
    expect(reply.status).toBe(status)
    expect(reply.headers['access-control-allow-origin']).toBe(status === 200 ? app : undefined)
    if (status !== 200) return
    expect(reply.headers['access-control-allow-methods']).toContain('GET')
    expect(reply.headers['access-control-max-age']).toBe('300')
  })
}

behaviour('preflight for a bucket without rules: 403', async ({ s3 }) => {
  const bucket = await s3.createBucket(undefined, { public: '' })
  const headers = { origin: app, 'access-control-request-method': 'GET' }
  expect((await raw(s3, `/${bucket}/f`, { method: 'OPTIONS', headers })).status).toBe(403)
})

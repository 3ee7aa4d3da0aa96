import { hash } from 'node:crypto'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it, test } from 'vitest'
import type { PublicRequest, PublicResponse } from '../../src/check/page-fetch.js'
import { pageOrigin } from '../../src/check/page-origin.js'
import { visit } from '../../src/check/visit.js'
import { filesToVisit } from '../../src/deploy/visitor.js'
import type { Decision } from '../../src/release/plan.js'
import type { BucketAddress } from '../../src/urls/public-url.js'

// What a deploy says about its public URL, for each way in which that URL can respond.

const aws: BucketAddress = {
  bucket: 'my-bucket',
  location: 'static',
  region: 'eu-central-1',
  customDomain: undefined,
  protocol: 'https:',
  endpoint: undefined,
  addressingStyle: 'auto',
}
const minio: BucketAddress = { ...aws, endpoint: 'https://s3.example.com' }
const behindCdn: BucketAddress = { ...aws, customDomain: 'cdn.example.com' }
const root = 'https://my-bucket.s3.eu-central-1.amazonaws.com/'

const bytes = Buffer.from('export const answer = 42\n'.repeat(20))
const script = {
  url: `${root}static/assets/index-B4.js`,
  sha256: hash('sha256', bytes),
  contentType: 'text/javascript; charset=utf-8',
  isKept: true,
}
const recordKey = '.static-s3/static/releases/99999998.lock'
const noPage = 'https://static-s3.invalid'

type Respond = (request: PublicRequest) => Partial<PublicResponse> | Error

const good = {
  status: 200,
  body: bytes,
  headers: { 'content-type': 'text/javascript', 'access-control-allow-origin': '*' },
}
const forbidden = { status: 403, body: Buffer.from('<Error><Code>AccessDenied</Code></Error>') }

async function look(respond: Respond, more: Partial<Parameters<typeof visit>[0]> = {}) {
  const requests: PublicRequest[] = []
  const send = async (request: PublicRequest): Promise<PublicResponse> => {
    requests.push(request)
    const response = request.url.pathname.startsWith('/static/')
      ? respond(request)
      : (others[request.url.pathname] ?? forbidden)
    if (response instanceof Error) throw response
    return { status: 200, headers: {}, body: Buffer.alloc(0), ...response }
  }
  const { others = {}, ...input } = more as typeof more & { others?: Record<string, Partial<PublicResponse>> }
  const view = await visit({ address: aws, files: [script], recordKey, allowed: ['*'], send, ...input })
  return { ...view, requests, first: view.problem?.split('\n')[1] }
}

const withHeaders = (headers: Record<string, string | undefined>, body = bytes) => {
  const all = Object.entries({ ...good.headers, ...headers }).filter(([, value]) => value !== undefined)
  return { ...good, body, headers: Object.fromEntries(all) as Record<string, string> }
}

describe('a release that visitors can use', () => {
  it.each<[name: string, response: Partial<PublicResponse>]>([
    ['as it was uploaded', good],
    ['with another type of script', withHeaders({ 'content-type': 'application/javascript;charset=utf-8' })],
    ['compressed with gzip', withHeaders({ 'content-encoding': 'gzip' }, gzipSync(bytes))],
    ['compressed with Brotli', withHeaders({ 'content-encoding': 'br' }, brotliCompressSync(bytes))],
    ['compressed with deflate', withHeaders({ 'content-encoding': 'Deflate' }, deflateSync(bytes))],
    ['compressed twice', withHeaders({ 'content-encoding': 'br, gzip' }, gzipSync(brotliCompressSync(bytes)))],
    ['with its origin by name', withHeaders({ 'access-control-allow-origin': noPage })],
  ])('%s', async (_name, response) => {
    const { problem, unreachable } = await look(() => response)
    expect([problem, unreachable]).toEqual([undefined, undefined])
  })

  it('that was uploaded compressed', async () => {
    const body = gzipSync(bytes)
    const files = [{ ...script, sha256: hash('sha256', body) }]
    expect((await look(() => withHeaders({ 'content-encoding': 'gzip' }, body), { files })).problem).toBeUndefined()
  })

  it('that is fetched without credentials, from another origin, as browsers accept it', async () => {
    const { requests } = await look(() => good)
    expect(requests.map(({ method, url }) => `${method} ${url}`).sort()).toEqual([
      `GET ${script.url}`,
      `HEAD ${root}${recordKey}`,
    ])
    expect(requests.find(({ method }) => method === 'GET')?.headers).toEqual({
      accept: '*/*',
      'accept-encoding': 'gzip, deflate, br',
      origin: noPage,
    })
  })

  it('along a redirect, whose responses allow the origin', async () => {
    const { problem, requests } = await look(({ url }) =>
      url.host === 'other.example'
        ? good
        : {
            status: 302,
            headers: { location: 'https://other.example/static/x.js', 'access-control-allow-origin': '*' },
          },
    )
    expect(problem).toBeUndefined()
    // As browsers do, when one foreign origin leads to another.
    expect(requests.find(({ url }) => url.host === 'other.example')?.headers.origin).toBe('null')
  })
})

describe('a release that visitors cannot use', () => {
  const cases: [name: string, response: Partial<PublicResponse>, finding: string][] = [
    ['no right to read', forbidden, `status 403 (AccessDenied): ${script.url}`],
    ['nothing there', { status: 404 }, `status 404: ${script.url}`],
    ['an endless redirect', { status: 301, headers: { location: script.url } }, `status 301: ${script.url}`],
    ['a redirect to nowhere', { status: 302, headers: { location: 'ftp://x/' } }, `status 302: ${script.url}`],
    [
      'another type',
      withHeaders({ 'content-type': 'text/plain' }),
      'Content-Type "text/plain" instead of "text/javascript; charset=utf-8", so browsers refuse it',
    ],
    ['no type', withHeaders({ 'content-type': undefined }), 'Content-Type "" instead of'],
    [
      'a page for everything',
      withHeaders({ 'content-type': 'text/html' }, Buffer.from('<!doctype html>')),
      'a web page (another server',
    ],
    [
      'an old file',
      withHeaders({}, Buffer.from('old')),
      'other bytes than were uploaded (another server, an old file in a cache',
    ],
    [
      'a broken encoding',
      withHeaders({ 'content-encoding': 'gzip' }, Buffer.from('no gzip')),
      'other bytes than were uploaded',
    ],
    [
      'an unknown encoding',
      withHeaders({ 'content-encoding': 'zstd' }, Buffer.from('?')),
      'other bytes than were uploaded',
    ],
    [
      'no CORS headers',
      withHeaders({ 'access-control-allow-origin': undefined }),
      'no Access-Control-Allow-Origin, although the bucket has CORS rules',
    ],
    [
      'two servers that add them',
      withHeaders({ 'access-control-allow-origin': '*, *' }),
      'Access-Control-Allow-Origin "*, *", which two servers set',
    ],
    [
      'another origin',
      withHeaders({ 'access-control-allow-origin': 'https://a.example' }),
      'Access-Control-Allow-Origin "https://a.example", so browsers refuse',
    ],
  ]
  it.each(cases)('%s', async (_name, response, finding) => {
    const { first } = await look(() => response)
    expect(first).toContain(`  - ${finding}`)
  })

  it('a redirect that does not allow the origin itself', async () => {
    const { first } = await look(({ url }) =>
      url.search ? good : { status: 302, headers: { location: `${script.url}?1` } },
    )
    expect(first).toContain(`no Access-Control-Allow-Origin, although the bucket has CORS rules`)
    expect(first).toContain(`${script.url} (redirected to ${script.url}?1)`)
  })

  it('a bucket without policy and CORS rules: everything to paste', async () => {
    expect((await look(() => forbidden, { allowed: [] })).problem).toMatchInlineSnapshot(`
      "visitors can't use this release:
        - status 403 (AccessDenied): https://my-bucket.s3.eu-central-1.amazonaws.com/static/assets/index-B4.js
        - no CORS rules in the bucket, so browsers refuse scripts, styles and fonts to pages of another origin

      npx static-s3 setup

      Or by hand, to let everybody read s3://my-bucket/static/ alone (replaces the bucket's policy):

      aws s3api put-public-access-block --bucket my-bucket --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,RestrictPublicBuckets=false
      aws s3api put-bucket-policy --bucket my-bucket --policy '{"Version":"2012-10-17","Statement":[{"Sid":"StaticS3ReadStatic","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket/static/*"},{"Sid":"StaticS3DenyRecordsStatic","Effect":"Deny","Principal":"*","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::my-bucket/.static-s3/*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"\${aws:ResourceAccount}"}}}]}'

      npx static-s3 setup

      Or by hand, to let pages of every origin use the files (replaces the bucket's CORS rules):

      aws s3api put-bucket-cors --bucket my-bucket --cors-configuration '{"CORSRules":[{"ID":"StaticS3","AllowedMethods":["GET","HEAD"],"AllowedOrigins":["*"],"AllowedHeaders":["*"]}]}'"
    `)
  })

  it('on another store: without the public access block, which only AWS has', async () => {
    const files = [{ ...script, url: 'https://s3.example.com/my-bucket/static/x.js' }]
    const { problem } = await visit({
      address: minio,
      files,
      recordKey: undefined,
      allowed: ['*'],
      send: async () => ({ headers: {}, ...forbidden }),
    })
    expect(problem).toContain('aws --endpoint-url https://s3.example.com s3api put-bucket-policy --bucket my-bucket')
    expect(problem).not.toMatch(/public-access-block|put-bucket-cors/)
  })

  it('behind CloudFront: a statement for its policy', async () => {
    const { problem } = await look(() => forbidden, { address: behindCdn })
    expect(problem).toMatchInlineSnapshot(`
      "visitors can't use this release:
        - status 403 (AccessDenied): https://my-bucket.s3.eu-central-1.amazonaws.com/static/assets/index-B4.js

      To let CloudFront read s3://my-bucket/static/ alone, with origin access control, as the bucket's policy:

      {"Version":"2012-10-17","Statement":[{"Sid":"StaticS3ReadStatic","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::my-bucket/static/*","Condition":{"StringEquals":{"aws:SourceArn":"arn:aws:cloudfront::ACCOUNT:distribution/ID"}}},{"Sid":"StaticS3DenyRecordsStatic","Effect":"Deny","Principal":"*","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::my-bucket/.static-s3/*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"\${aws:ResourceAccount}"}}}]}"
    `)
  })

  it('behind a CDN that serves another folder, and one that drops CORS headers', async () => {
    expect((await look(() => ({ status: 404 }), { address: behindCdn })).problem).toContain(
      "\n\nLet cdn.example.com serve s3://my-bucket from the bucket's root.",
    )
    const { problem } = await look(() => withHeaders({ 'access-control-allow-origin': undefined }), {
      address: behindCdn,
    })
    expect(problem).toContain('\n\nLet cdn.example.com pass on the header Origin')
    expect(problem).not.toContain('put-bucket-cors')
  })
})

describe('records', () => {
  const isThere = { status: 200, headers: { 'content-type': 'application/json' } }

  it('that everybody can read, in a folder', async () => {
    const { problem } = await look(() => good, { others: { [`/${recordKey}`]: isThere } } as object)
    expect(problem).toContain(
      `can read more than this release:\n  - everybody can read who deployed, when, and from which commit: ${root}${recordKey}`,
    )
    expect(problem).toContain('"Resource":"arn:aws:s3:::my-bucket/static/*"')
  })

  it("that everybody can read, at the bucket's root", async () => {
    const address = { ...aws, location: '', region: 'cn-north-1' }
    const { problem } = await visit({
      address,
      files: [],
      recordKey,
      allowed: [],
      send: async () => ({ body: bytes, ...isThere }),
    })
    expect(problem).toContain('"NotResource":"arn:aws-cn:s3:::my-bucket/.static-s3/*"')
  })

  it('are not public on a server that responds to everything with a page', async () => {
    const page = { status: 200, headers: { 'content-type': 'text/html' } }
    expect((await look(() => good, { others: { [`/${recordKey}`]: page } } as object)).problem).toBeUndefined()
  })
})

describe('false alarms are worse than none', () => {
  const noCors = withHeaders({ 'access-control-allow-origin': undefined })

  it('pages of the same origin need no CORS', async () => {
    const others = { '/': { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } } }
    expect((await look(() => noCors, { address: behindCdn, allowed: [], others } as object)).problem).toBeUndefined()
  })

  it('rules that cannot be read may name the real origin', async () => {
    const varying = withHeaders({ 'access-control-allow-origin': undefined, vary: 'Accept-Encoding, Origin' })
    expect((await look(() => varying, { allowed: undefined })).problem).toBeUndefined()
    const constant = withHeaders({ 'access-control-allow-origin': 'https://www.example.com' })
    expect((await look(() => constant, { allowed: undefined })).problem).toBeUndefined()
    expect((await look(() => noCors, { allowed: undefined })).problem).toContain('s3:GetBucketCORS')
  })

  it.each([
    ['getaddrinfo', { code: 'ENOTFOUND' }, 'ENOTFOUND'],
    ['no connection to my-bucket', { name: 'TimeoutError', code: 23 }, 'no response in time'],
    ['status 407', { code: 'ProxyRefused' }, 'ProxyRefused'],
    ['something else', {}, 'something else'],
  ])('a host that cannot be reached from here: %s', async (message, fields, reason) => {
    const view = await look(() => Object.assign(new Error(message), fields))
    expect(view.problem).toBeUndefined()
    expect(view.unreachable).toBe(
      `my-bucket.s3.eu-central-1.amazonaws.com can't be reached from here (${reason}): static-s3 has not seen this release as visitors do`,
    )
  })
})

describe('a CDN gets no request whose response would harm visitors if it kept it', () => {
  it.each([
    [['*'], noPage, true],
    [['https://www.example.com'], 'https://www.example.com', true],
    [['http://localhost:5173', 'https://www.example.com'], 'https://www.example.com', true],
    [['http://localhost:5173'], 'http://localhost:5173', true],
    [['https://a.example', 'https://b.example'], 'https://a.example', false],
    [['https://*.example.com'], 'https://static-s3.example.com', false],
    [[], noPage, true],
    [undefined, noPage, false],
  ])('rules for %j: sends %s; keepable: %s', (allowed, origin, isKeepable) => {
    expect(pageOrigin(allowed, true)).toEqual({ origin, isCertain: allowed !== undefined, isKeepable })
  })

  test('other stores than AWS may allow the origin without a rule', () => {
    expect(pageOrigin([], false).isKeepable).toBe(false)
  })

  test('files that it revalidates are fetched in any case', async () => {
    const { requests } = await look(() => good, {
      address: behindCdn,
      allowed: undefined,
      files: [script, { ...script, url: 'https://cdn.example.com/static/app.js', isKept: false }],
      recordKey: undefined,
    })
    expect(requests.map(({ url }) => url.pathname)).toEqual(['/static/app.js'])
  })
})

test.each<[cacheControl: string | undefined, isKept: boolean]>([
  ['public, max-age=31536000, immutable', true],
  ['public, max-age=0, s-maxage=31536000', true],
  ['max-age=0, stale-while-revalidate=60', true],
  [undefined, true],
  ['public, max-age=0', false],
  ['public, max-age=0, s-maxage=0, must-revalidate', false],
  ['no-cache', false],
  ['no-store, max-age=60', false],
])('a CDN may keep a file with Cache-Control %s: %s', (CacheControl, isKept) => {
  const parameters = { ContentType: 'text/javascript', CacheControl }
  const file = { path: 'app.js', group: 'asset', size: 1, sha256: '', parameters }
  const decisions = [{ action: 'upload', reason: 'new', file }] as unknown as Decision[]
  expect(filesToVisit(decisions, root).map((each) => each.isKept)).toEqual([isKept])
})

import { hash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { gzipSync } from 'node:zlib'
import {
  DeleteObjectCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { behindDomains } from '../../fixtures/s3/behind-domains.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import { type EmbeddedS3, type LoggedRequest, startEmbedded } from '../../fixtures/s3/index.js'
import { selfSigned } from '../../fixtures/s3/self-signed.js'
import { allPoints, type Checked, lookAt, outcomeOf } from '../../src/check/check.js'
import type { Site } from '../../src/check/site.js'
import { conclusion, findingAsText } from '../../src/check/text.js'
import { openSite } from '../../src/deploy/commands/check.js'
import { bucketPolicy } from '../../src/policy/bucket.js'
import { encodeRecord } from '../../src/release/records/format.js'
import { recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'
import { unstoppable } from '../../src/runtime/stop.js'
import { openConfiguration } from '../../src/s3/configuration/s3-configuration.js'
import { openBucket } from '../../src/s3/objects/s3-bucket.js'
import type { Settings } from '../../src/settings/settings.js'
import { publicUrlOf } from '../../src/urls/public-url.js'

// Each fault that a check can name is caused on purpose, and named. The last test lists the faults that no case caused.

let s3: EmbeddedS3
let bucket: string
/** Milliseconds by which the store's clock is ahead. */
let clockOffset = 0
const closing: (() => void)[] = []
/** `point: fault`, and `point: pass` */
const seen = new Set<string>()

beforeAll(async () => {
  s3 = await startEmbedded({ baseDomain: 's3.us-east-1.amazonaws.com', now: () => new Date(Date.now() + clockOffset) })
})
afterEach(() => {
  s3.server.intercept = undefined
  clockOffset = 0
  for (const close of closing.splice(0)) close()
})
afterAll(() => s3.close())

interface Changes {
  settings?: Partial<Settings>
  site?: Partial<Site>
  server?: EmbeddedS3
}

async function check({ settings: changed, site: replaced, server = s3 }: Changes = {}) {
  const base = {
    ...settingsFor(server, bucket),
    ...{ location: 'static', protocol: 'http:', customDomain: undefined, objectParameters: {}, warnings: [] },
    cacheControl: { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' },
    ...changed,
  } as unknown as Settings
  const settings = { ...base, publicUrl: publicUrlOf(base) }
  const connection = await openBucket(settings, patient)
  const { configuration, close } = openConfiguration(settings)
  const site = { ...(await openSite(settings, 'test', { ...connection, configuration }, unstoppable)), ...replaced }
  const findings: Checked[] = []
  try {
    for await (const found of lookAt(allPoints, site, unstoppable.begun)) findings.push(found)
  } finally {
    await site.clean()
    connection.close()
    close()
  }
  for (const { point, fault, because } of findings) if (!because) seen.add(`${point.name}: ${fault ?? 'pass'}`)
  const named = findings.flatMap(({ point, fault, verdict }) => (fault ? [`${verdict} ${point.name}: ${fault}`] : []))
  return { findings, named, text: stripVTControlCharacters(findings.map((each) => findingAsText(each)).join('\n')) }
}

/** A bucket that lacks nothing. Plain S3 has neither HTTP/2 nor compression. */
const ofPlainS3 = ['pass protocol: http-1', 'pass Vary: Origin: missing', 'pass compression: none']

/** @param immutable names that the bucket policy protects, as setup does */
async function prepare(immutable: string[] = []): Promise<void> {
  bucket = await s3.createBucket(undefined, { public: 'static/' })
  const client = s3.client()
  const abort = {
    ID: 'abort',
    Status: 'Enabled' as const,
    Filter: { Prefix: '' },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
  }
  const rule = { AllowedOrigins: ['*'], AllowedMethods: ['GET', 'HEAD'] }
  await client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } }))
  await client.send(
    new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules: [abort] } }),
  )
  const Policy = JSON.stringify(bucketPolicy({ ...settingsFor(s3, bucket), location: 'static' }, { immutable }))
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
}

const arn = (path: string) => `arn:aws:s3:::${bucket}/${path}`
const refuse = (matches: (request: LoggedRequest) => boolean | undefined, status = 403, code = 'AccessDenied') => {
  s3.server.intercept = (request) =>
    request.headers.authorization !== undefined && matches(request) ? { status, code } : undefined
}

it('a bucket that lacks nothing is fine, and nothing stays in it', async () => {
  await prepare()
  s3.server.reset()
  const { findings, named } = await check()
  expect(named).toEqual(ofPlainS3)
  expect(outcomeOf(findings)).toBe('fine')
  expect([...s3.server.objects(bucket).keys()]).toEqual([])
  expect(s3.server.requests.some(({ key = '' }) => key.endsWith('.lock'))).toBe(false)
})

it('two checks of one location at once do not disturb each other, and nothing stays', async () => {
  await prepare()
  let second: ReturnType<typeof check> | undefined
  // The whole second check runs while the first one waits for a file that it wrote.
  s3.server.intercept = async ({ operation, key = '' }) => {
    if (second || operation !== 'GetObject' || !key.includes('page')) return undefined
    second = check()
    await second
    return undefined
  }
  const first = await check()
  expect([first.named, (await second)?.named]).toEqual([ofPlainS3, ofPlainS3])
  expect([...s3.server.objects(bucket).keys()]).toEqual([])
})

it('no canary has a lock: nobody could delete it', async () => {
  await prepare()
  s3.server.reset()
  const objectParameters = {
    ...{ ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: new Date('2099-01-01'), Tagging: 'team=web' },
    ObjectLockLegalHoldStatus: 'ON',
  }
  expect((await check({ settings: { objectParameters } })).named).toEqual(ofPlainS3)
  const names = new Set(s3.server.requests.flatMap(({ headers }) => Object.keys(headers)))
  expect(names).toContain('x-amz-tagging')
  expect([...names].filter((name) => name.startsWith('x-amz-object-lock'))).toEqual([])
})

describe('the store', () => {
  const first = (found: Awaited<ReturnType<typeof check>>) => found.named.find((each) => !each.startsWith('pass'))
  beforeAll(() => prepare())

  const byCode: [status: number, code: string, fault: string][] = [
    [403, 'InvalidAccessKeyId', 'fail credentials: refused'],
    [400, 'ExpiredToken', 'fail credentials: expired'],
    [301, 'PermanentRedirect', 'fail region: other'],
    [404, 'NoSuchBucket', 'fail bucket: missing'],
    [500, 'InternalError', 'unknown bucket: no-answer'],
    [403, 'RequestTimeTooSkewed', 'fail clock: wrong'],
  ]
  it.each(byCode)('status %s, %s: %s, and no other fault', async (status, code, fault) => {
    refuse(() => true, status, code)
    const found = await check()
    expect(found.named.filter((each) => !each.startsWith('pass'))).toEqual([fault])
    expect(conclusion(found.findings)).toMatch(/\d+ skipped until "\w+" passes: /)
  })

  it('that refuses everything', async () => {
    refuse(() => true)
    expect(first(await check())).toBe('fail bucket: denied')
  })

  it('that refuses a wrong secret, and a session that has ended', async () => {
    const credentials = { ...s3.credentials, secretAccessKey: 'wrong/secret+of/the+tests/main/secret+00' }
    expect(first(await check({ settings: { credentials } }))).toBe('fail credentials: refused')
    expect(first(await check({ settings: { credentials: s3.server.session(-60) } }))).toBe('fail credentials: expired')
  })

  it('without credentials, and with some that end soon', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'static-s3-check-'))
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(dir, 'none'))
    vi.stubEnv('AWS_CONFIG_FILE', join(dir, 'config'))
    const { accessKeyId, secretAccessKey, sessionToken } = s3.server.session()
    const keys = { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken }
    const output = { Version: 1, ...keys, Expiration: new Date(Date.now() + 600_000) }
    await writeFile(join(dir, 'print.cjs'), `console.log(${JSON.stringify(JSON.stringify(output))})`)
    const command = `"${process.execPath}" "${join(dir, 'print.cjs')}"`
    await writeFile(join(dir, 'config'), `[profile web]\ncredential_process = ${command}\n`)
    try {
      expect(first(await check({ settings: { credentials: undefined } }))).toBe('fail credentials: none')
      const soon = await check({ settings: { credentials: { profile: 'web' } } })
      expect(soon.named).toEqual(['pass credentials: expire-soon', ...ofPlainS3])
      expect(soon.text).toMatch(/ASIA….{4} from .*, until .* \(10 minutes left\)/)
    } finally {
      vi.unstubAllEnvs()
      await rm(dir, { recursive: true })
    }
  })

  it('that nothing reaches, that shows a foreign certificate, and that is a web server', async () => {
    const nowhere = await check({ settings: { endpoint: 'http://127.0.0.1:9' } })
    expect(nowhere.named).toEqual(['unknown endpoint: unreachable'])
    expect(outcomeOf(nowhere.findings)).toBe('unclear')
    const secure = createSecureServer(selfSigned())
    expect(first(await check({ settings: { endpoint: `https://${await listen(secure)}` } }))).toBe(
      'fail endpoint: certificate',
    )
    const page = createServer((_, response) => response.end('<!doctype html>'))
    expect(first(await check({ settings: { endpoint: `http://${await listen(page)}` } }))).toBe('fail endpoint: not-s3')
    // SSH, a database, or TLS, which answers plain HTTP with an alert.
    const other = createServer().on('connection', (socket) => socket.end('SSH-2.0-x\r\n'))
    const found = await check({ settings: { endpoint: `http://${await listen(other)}` } })
    expect(first(found)).toBe('fail endpoint: not-s3')
    expect(found.text).toContain('does not begin with a status line')
  })

  it('whose clock is another one, or that has none', async () => {
    clockOffset = 3_600_000
    const ahead = await check()
    expect(first(ahead)).toBe('fail clock: wrong')
    expect(ahead.text).toMatch(/clock: (60 minutes behind the store's|.*RequestTimeTooSkewed)/)
    clockOffset = 0
    const dateless = createServer((message, response) => {
      response.sendDate = false
      const { method, url: path, headers } = message
      const onward = request({ port: s3.server.port, method, path, headers }, (answer) => {
        const { date: _, ...others } = answer.headers
        answer.pipe(response.writeHead(answer.statusCode as number, others))
      })
      message.pipe(onward)
    })
    const { named, findings } = await check({ settings: { endpoint: `http://${await listen(dateless)}` } })
    expect(named).toEqual(['unknown clock: no-date', ...ofPlainS3])
    expect(findings.filter(({ because }) => because?.name === 'clock')).toEqual([])
  })
})

async function listen(
  server: ReturnType<typeof createServer> | ReturnType<typeof createSecureServer>,
): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('rights', () => {
  beforeAll(() => prepare())
  const isRecord = ({ key = '', query }: LoggedRequest) => (key || query.prefix || '').startsWith('.static-s3')
  const rights: [point: string, operation: RegExp, record: boolean][] = [
    ['list files', /^List/, false],
    ['upload a file', /^PutObject/, false],
    ['replace a file', /^PutObject$/, false],
    ['read a file', /^(Get|Head)Object/, false],
    ['copy a file', /^CopyObject/, false],
    ['list records', /^List/, true],
    ['write a record', /^PutObject/, true],
    ['read a record', /^GetObject/, true],
  ]
  it.each(rights)('%s', async (point, operation, record) => {
    const matches = (request: LoggedRequest) =>
      operation.test(request.operation) &&
      isRecord(request) === record &&
      (point !== 'replace a file' || request.headers['if-none-match'] === undefined)
    refuse(matches)
    const refused = await check()
    expect(refused.named.filter((each) => each.startsWith('fail'))).toEqual([`fail ${point}: refused`])
    expect(refused.text).toMatch(/npx static-s3 (policy iam|setup --immutable)/)
    // The bucket's own point has listed the files before.
    let requests = 0
    refuse((request) => matches(request) && (point !== 'list files' || ++requests > 1), 500, 'InternalError')
    const silent = (await check()).named
    expect(silent.filter((each) => each.startsWith('unknown'))).toEqual([`unknown ${point}: no-answer`])
  })

  it('to delete: no deploy needs it, and the same few files, which it names, stay after each check', async () => {
    refuse(({ operation }) => operation === 'DeleteObject')
    const { findings, named, text } = await check()
    expect(named).toEqual([...ofPlainS3, 'pass delete a file: not-allowed'])
    expect(outcomeOf(findings)).toBe('fine')
    const left = [...s3.server.objects(bucket).keys()]
    const [, stay] = /these stay: (.*)/.exec(text) ?? []
    expect(stay?.split(', ').sort()).toEqual(left.sort())
    expect((await check()).named).toEqual(named)
    expect([...s3.server.objects(bucket).keys()].sort()).toEqual(left)
    s3.server.intercept = undefined
    await Promise.all(left.map((Key) => s3.client().send(new DeleteObjectCommand({ Bucket: bucket, Key }))))
  })

  it('to delete files alone: the record has the same name in each check, and the report names it', async () => {
    const records = '.static-s3/static/releases/'
    refuse(({ operation, key = '' }) => operation === 'DeleteObject' && key.startsWith(records))
    const { text } = await check()
    expect(text).toContain(`these stay: ${records}check.json\n`)
    await check()
    expect([...s3.server.objects(bucket).keys()]).toEqual([`${records}check.json`])
    s3.server.intercept = undefined
    await s3.client().send(new DeleteObjectCommand({ Bucket: bucket, Key: `${records}check.json` }))
  })

  it('to delete, which no longer works at the end', async () => {
    refuse(
      ({ operation, key = '' }) => operation === 'DeleteObject' && s3.server.objects(bucket).has(key),
      500,
      'InternalError',
    )
    const { named, text } = await check()
    expect(named).toContain('unknown delete a file: no-answer')
    expect(text).toMatch(/these stay: static\/static-s3-check-[0-9a-f]{8}\.js, /)
  })

  it('to add files, but to replace none: what setup --immutable makes', async () => {
    await prepare(['assets/*'])
    expect((await check()).named).toEqual(ofPlainS3)
    await prepare(['*'])
    const { findings, text } = await check()
    const failed = findings.filter(({ verdict, because }) => verdict !== 'pass' && !because)
    expect(failed.map(({ point, fault }) => `${point.name}: ${fault}`)).toEqual(['replace a file: refused'])
    expect(text).toContain("npx static-s3 setup --immutable 'assets/*'")
    expect([...s3.server.objects(bucket).keys()]).toEqual([])
    // Without the right to delete, the files of an earlier check are there and cannot be replaced.
    refuse(({ operation }) => operation === 'DeleteObject')
    await check()
    const again = (await check()).findings.filter(({ verdict, because }) => verdict === 'fail' && !because)
    expect(again.map(({ point, fault }) => `${point.name}: ${fault}`)).toEqual(['replace a file: refused'])
  })

  it('to set an ACL', async () => {
    await prepare()
    const settings = { objectParameters: { ACL: 'public-read' } }
    expect((await check({ settings })).named).toContain('fail ACL: refused')
    const withAcl = ({ headers }: LoggedRequest) => headers['x-amz-acl'] !== undefined
    refuse(withAcl, 500, 'InternalError')
    expect((await check({ settings })).named).toContain('unknown ACL: no-answer')
    s3.server.intercept = undefined
    const OwnershipControls = { Rules: [{ ObjectOwnership: 'ObjectWriter' as const }] }
    await s3.client().send(new PutBucketOwnershipControlsCommand({ Bucket: bucket, OwnershipControls }))
    expect((await check({ settings })).named).toEqual(ofPlainS3)
  })

  it('to write on a condition', async () => {
    const conditional = (request: LoggedRequest) => isRecord(request) && request.headers['if-none-match'] !== undefined
    const verdicts = { 403: 'fail', 501: 'pass', 500: 'unknown' }
    for (const [status, verdict] of Object.entries(verdicts)) {
      refuse(conditional, Number(status), status === '403' ? 'AccessDenied' : 'NotImplemented')
      expect((await check()).named.join()).toContain(`${verdict} conditional writes: `)
    }
    s3.server.intercept = (request) => (conditional(request) ? { status: 200, headers: { etag: '"0"' } } : undefined)
    expect((await check()).named).toContain('pass conditional writes: ignored')
  })
})

describe('the bucket', () => {
  it('that everybody can list', async () => {
    await prepare()
    const list = { Effect: 'Allow', Principal: '*', Action: 's3:ListBucket', Resource: `arn:aws:s3:::${bucket}` }
    const read = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: arn('*') }
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [list, read] })
    await s3.client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
    const { named } = await check()
    expect(named).toContain('fail listing by everybody: open')
    expect(named).toContain('fail records for everybody: public')
  })

  it('whose public side cannot be reached', async () => {
    await prepare()
    const domain = { settings: { customDomain: '127.0.0.1:9' } }
    const { named } = await check(domain)
    expect(named).toContain('unknown listing by everybody: unreachable')
    expect(named).toContain('unknown records for everybody: unreachable')
    expect(named).toContain('unknown domain: unreachable')
  })

  it('whose lifecycle rules delete files in use, or leave abandoned parts', async () => {
    await prepare()
    const put = (Filter: object) => {
      const rule = { ID: 'tidy', Status: 'Enabled' as const, Filter, Expiration: { Days: 30 } }
      const LifecycleConfiguration = { Rules: [rule] }
      return s3.client().send(new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration }))
    }
    await put({ Prefix: 'sta' })
    const { text } = await check()
    expect(text).toContain('"tidy" deletes files in use 30 days after their upload')
    await put({ Prefix: 'logs/' })
    expect((await check()).named).toContain('pass lifecycle rules: no-abort-rule')
    refuse(({ operation }) => /Lifecycle/.test(operation))
    expect((await check()).named).toContain('unknown lifecycle rules: unread')
  })
})

describe('visitors', () => {
  type Change = (
    body: Buffer,
    headers: Record<string, string>,
    request: IncomingMessage,
  ) => [Buffer, Record<string, string>, number?]
  beforeAll(() => prepare())

  const cdn = async (change: Change) => {
    const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
      const {
        url = '/',
        method = 'GET',
        headers: { origin },
      } = request
      const from = await fetch(`${s3.endpoint}/${bucket}${url}`, { method, headers: origin ? { origin } : {} })
      const headers: Record<string, string> = {}
      from.headers.forEach((value, name) => {
        if (/^(content-type|cache-control|vary|access-)/.test(name)) headers[name] = value
      })
      const [body, changed, status] = change(Buffer.from(await from.arrayBuffer()), headers, request)
      response.writeHead(status ?? from.status, changed).end(body)
    })
    return { settings: { customDomain: await listen(server) } }
  }
  const faults = async (change: Change) =>
    (await check(await cdn(change))).named.filter((each) => !ofPlainS3.includes(each))

  const kept = new Map<string, Parameters<Change>>()
  const cases: [name: string, fault: string, change: Change][] = [
    ['refuses', 'fail status: other-status', (body, headers) => [body, headers, 403]],
    ['changes bytes', 'fail bytes: other-bytes', (body, headers) => [Buffer.concat([body, body]), headers]],
    ['changes types', 'fail Content-Type: other-type', (body, h) => [body, { ...h, 'content-type': 'text/plain' }]],
    [
      'keeps pages',
      'fail Cache-Control: kept-too-long',
      (body, h) => [body, { ...h, 'cache-control': 'max-age=31536000, immutable' }],
    ],
    ['keeps nothing', 'pass Cache-Control: changed', (body, h) => [body, { ...h, 'cache-control': 'no-cache' }]],
    [
      'drops CORS headers',
      'fail CORS: refused',
      (body, h) => [body, { 'content-type': h['content-type'] ?? '', 'cache-control': h['cache-control'] ?? '' }],
    ],
    [
      'caches without Origin',
      'fail CORS: cached-without',
      (body, headers, request) => {
        if (/page/.test(request.url ?? '')) return [body, headers]
        const found = kept.get(request.url ?? '') ?? [body, headers, request]
        kept.set(request.url ?? '', found)
        return [found[0], found[1]]
      },
    ],
    [
      'shows old copies',
      'fail old copies: kept',
      (body, headers, request) => {
        if (!/page/.test(request.url ?? '')) return [body, headers]
        const found = kept.get(request.url ?? '') ?? [body, headers, request]
        kept.set(request.url ?? '', found)
        return [found[0], found[1]]
      },
    ],
  ]
  it.each(cases)('behind a CDN that %s: %s', async (_name, fault, change) => {
    expect(await faults(change)).toEqual([fault])
  })

  it('behind a CDN that compresses, and sends Vary always', async () => {
    const { named, text } = await check(
      await cdn((body, headers) => [gzipSync(body), { ...headers, 'content-encoding': 'gzip', vary: 'Origin' }]),
    )
    expect(named).toEqual(['pass protocol: http-1'])
    expect(text).toContain('gzip: ')
  })

  it("compression: the live release's largest script shows it, unless a cache may keep the response", async () => {
    expect((await check({ settings: { compress: true } })).text).toContain('AWS_IS_GZIPPED')
    const key = 'static/assets/app-1a2b3c4d.js'
    const script = Buffer.from('export const text = 1\n'.repeat(1000))
    const put = (body: Buffer, headers: Record<string, string>) =>
      s3.server.seed(bucket, [{ key, body, headers: { 'content-type': 'text/javascript', ...headers } }])
    const object = {
      sha256: hash('sha256', script),
      etag: 'e',
      writtenAt: 0,
      headers: '{}',
      fingerprinted: true,
      release: 1,
    }
    const record = await encodeRecord('static', {
      ...{
        id: 'a',
        by: 'b',
        commit: undefined,
        bundler: 'vite',
        release: 1,
        live: 1,
        at: new Date(0),
        conditionalWrites: true,
      },
      ...{ objects: new Map([['assets/app-1a2b3c4d.js', { ...object, size: 2000 }]]), splitAt: [] },
    })
    s3.server.seed(bucket, [{ key: recordKey(releasesFolder('static'), 1), body: record }])
    put(gzipSync(script), { 'content-encoding': 'gzip' })
    const gzipped = await check()
    expect(gzipped.named).toEqual(ofPlainS3.filter((each) => !each.includes('compression')))
    expect(gzipped.text).toMatch(/compression: gzip: 22\.00 kB arrive as 0\.\d+ kB: .*app-1a2b3c4d\.js; release 1 has/)
    put(script, {})
    expect((await check()).text).toMatch(
      /compression: 22\.00 kB are sent as they are: .*app-1a2b3c4d\.js; release 1 has/,
    )
    s3.server.reset()
    const { text } = await check({
      ...(await cdn((body, headers) => [gzipSync(body), { ...headers, 'content-encoding': 'gzip' }])),
      site: { allowed: async () => ['https://a.example', 'https://b.example'] },
    })
    expect(text).toMatch(/compression: gzip: .*static-s3-check-.*release 1 has/)
    expect(s3.server.requests.filter((request) => request.key === key)).toEqual([])
  })
})

describe("by AWS's own names and by domains with TLS", () => {
  const soon = Date.now() + 3 * 86_400_000
  const aws = { protocol: 'https:' as const, endpoint: undefined }
  const block = (RestrictPublicBuckets: boolean) => {
    const PublicAccessBlockConfiguration = { RestrictPublicBuckets }
    return s3.client().send(new PutPublicAccessBlockCommand({ Bucket: bucket, PublicAccessBlockConfiguration }))
  }
  let domains: Awaited<ReturnType<typeof behindDomains>>
  beforeAll(async () => {
    await prepare()
    domains = await behindDomains(s3, bucket, {
      [`${bucket}.${s3.baseDomain}`]: {},
      'expired.test': { until: Date.now() - 60_000 },
      'other-name.test': { certificateFor: 'example.test' },
      'soon.test': { until: soon, http2: true },
    })
    vi.stubEnv('NO_PROXY', '127.0.0.1')
    vi.stubEnv('HTTPS_PROXY', domains.proxy)
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    domains.close()
  })
  const at = async (customDomain: string) =>
    (await check({ settings: { ...aws, customDomain } })).named.filter((each) => / (domain|protocol): /.test(each))

  it('on AWS, where nothing is wrong', async () => {
    expect((await check({ settings: aws })).named).toEqual(ofPlainS3)
  })

  it('a public access block refuses visitors, but no CDN', async () => {
    await block(true)
    const direct = await check({ settings: aws })
    expect(direct.named.filter((each) => each.startsWith('fail'))).toEqual([
      'fail public access block: blocked',
      'fail status: other-status',
    ])
    const { text } = await check({ settings: { ...aws, customDomain: 'soon.test' } })
    expect(text).toContain('public access block: on; visitors read through soon.test')
    await block(false)
    refuse(({ operation }) => operation === 'GetPublicAccessBlock')
    expect((await check({ settings: aws })).named).toContain('unknown public access block: unread')
  })

  it('the certificate of a domain', async () => {
    expect(await at('expired.test')).toEqual(['fail domain: expired'])
    expect(await at('other-name.test')).toEqual(['fail domain: other-name'])
    expect(await at('soon.test')).toEqual(['pass domain: expires-soon'])
    const secure = createSecureServer(selfSigned())
    expect(await at(await listen(secure))).toEqual(['fail domain: untrusted'])
    const { named, text } = await check({ settings: { endpoint: 'https://expired.test' } })
    expect(named).toEqual(['fail endpoint: certificate'])
    expect(text).toContain("Set this machine's clock")
  })
})

describe('the settings', () => {
  it.each<[Changes, string | undefined]>([
    [
      { settings: { warnings: ['STATIC_URL is "/x/", but the build\'s URLs begin with …'] } },
      'fail STATIC_URL: other-place',
    ],
    [{ settings: { warnings: ['AWS_BUCKET is not read'] } }, 'pass other names: warned'],
    [{ site: { mediaUrl: '/media/' } }, undefined],
  ])('%j', async (changes, fault) => {
    const { named } = await check(changes)
    expect(named).toEqual(fault === undefined ? ofPlainS3 : [...ofPlainS3, fault])
  })

  it.each([
    ['', true],
    ['user/', true],
    ['../', true],
    ['../media/', false],
  ])('MEDIA_URL at %s of the public URL is a fault: %s', async (path, isFault) => {
    const mediaUrl = new URL(path, `${s3.endpoint}/${bucket}/static/`).href
    expect((await check({ site: { mediaUrl } })).named.includes('fail MEDIA_URL: same-place')).toBe(isFault)
  })
})

it('each point passed in a case, and each of its faults was caused', () => {
  const all = allPoints.flatMap(({ name, faults }) => ['pass', ...faults].map((fault) => `${name}: ${fault}`))
  expect([...seen].sort()).toEqual(all.sort())
})

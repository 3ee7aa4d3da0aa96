import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeApp, removeApps } from '../../fixtures/build/in-process.js'
import { deploySettings } from '../../fixtures/build/settings.js'
import { errorOf } from '../../fixtures/error-of.js'
import { answerTo } from '../../fixtures/s3/answer.js'
import { type CephS3, cephAvailable, cephVersion, startCeph } from '../../fixtures/s3/ceph.js'
import { patient, settingsFor } from '../../fixtures/s3/connection.js'
import { presign } from '../../fixtures/s3/presign.js'
import type { Credentials } from '../../fixtures/s3/server.js'
import type { Body, Bucket } from '../../src/bucket/bucket.js'
import { publishInSteps } from '../../src/deploy/publish.js'
import { lockKey, recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'
import { takeSurvey } from '../../src/release/survey.js'
import type { StaticS3Error } from '../../src/runtime/error.js'
import type { Clock } from '../../src/s3/http/retry.js'
import { openBucket } from '../../src/s3/objects/s3-bucket.js'

// What only a store that people run can show: policies of several users, quotas, suspended users, a disk that hangs, connections that
// break off. Each test has a bucket of its own, and site 1 is in it.

const version = cephVersion()
const title = cephAvailable()
  ? `Ceph ${version}`
  : 'Ceph (SKIPPED: CEPH=off, or radosgw is not on the PATH: apt-get install --no-install-recommends ceph-mon ceph-osd radosgw curl)'
const major = Number.parseInt(version ?? '', 10)
const limitsRates = major >= 17
const rateTitle = limitsRates ? 'a rate limit' : 'a rate limit (SKIPPED: it came with Ceph 17)'

const location = 'static'
const chunks = 12

/** Pages, what they load under fingerprinted names, and a file without one. */
function siteOf(number: number): Record<string, string> {
  const hashed = (name: string, content: string): [path: string, content: string] => {
    const hash = createHash('sha256').update(content).digest('hex').slice(0, 8)
    return [`assets/${name.replace('.', `-${hash}.`)}`, content]
  }
  const loaded = Array.from({ length: chunks }, (_, i) => hashed(`chunk${i}.js`, `export default '${i} of ${number}'`))
  const page = (name: string) =>
    `<title>${name} ${number}</title>${loaded.map(([path]) => `<script type="module" src="/${path}"></script>`).join('')}`
  return {
    ...Object.fromEntries(loaded),
    'index.html': page('start'),
    'about.html': page('about'),
    'robots.txt': `# ${number}`,
  }
}

const filesOfSite = chunks + 3

let s3: CephS3
let owner: S3Client
let name: string

interface DeployOptions {
  as?: Credentials
  clock?: Clock
  concurrency?: number
  env?: Record<string, string>
  /** Called before each upload of a file. */
  onPut?: (key: string, count: number) => unknown
}

interface Deployed {
  /** Undefined where all went well. */
  error: string | undefined
  warnings: string[]
  said: string[]
  /** Keys of files in the order in which their uploads began. */
  puts: string[]
}

/** What an adapter does at the end of a build. */
async function deploy(number: number, options: DeployOptions = {}): Promise<Deployed> {
  const { as = s3.credentials, clock = patient, concurrency = 4, env = {}, onPut = () => {} } = options
  const site = siteOf(number)
  const dir = await makeApp(
    Object.fromEntries(Object.entries(site).map(([path, content]) => [`dist/${path}`, content])),
  )
  const shell = { ...deployEnv({ ...s3, credentials: as }, name), ...env }
  const settings = { ...(await deploySettings({ concurrency }, shell)), credentials: as }
  const connection = await openBucket(settings, clock)
  const result: Deployed = { error: undefined, warnings: [], said: [], puts: [] }
  const bucket: Bucket = {
    ...connection.bucket,
    async put(key, ...rest) {
      if (key.startsWith(`${location}/`)) await onPut(key, result.puts.push(key))
      return connection.bucket.put(key, ...rest)
    },
  }
  const paths = Object.keys(site)
  const fingerprinted = new Set(paths.filter((path) => path.startsWith('assets/')))
  const steps = publishInSteps({
    settings,
    earlySurvey: {
      connection: Promise.resolve({ ...connection, bucket }),
      refusal: undefined,
      keepAlive: () => {},
      result: () => takeSurvey(bucket, location),
      stop: connection.close,
    },
    outputs: [{ dir: join(dir, 'dist'), emitted: new Set(paths), fingerprinted }],
    before: new Map(),
    notOurs: [],
    base: '/',
    bundler: 'none 1.0.0',
    logger: { info: (message) => result.said.push(message), warn: (message) => result.warnings.push(message) },
    terminal: undefined,
  })
  try {
    for await (const _step of steps);
  } catch (error) {
    result.error = (error as StaticS3Error).message
  }
  return result
}

async function keysOf(prefix = ''): Promise<string[]> {
  const { Contents = [] } = await owner.send(new ListObjectsV2Command({ Bucket: name, Prefix: prefix }))
  return Contents.map(({ Key }) => Key as string)
}

/** What visitors get. */
async function published(): Promise<Record<string, string>> {
  const keys = await keysOf(`${location}/`)
  const contents = keys.map(async (key) => {
    const answer = await fetch(`${s3.endpoint}/${name}/${key}`)
    return [key.slice(location.length + 1), answer.ok ? await answer.text() : answer.status]
  })
  return Object.fromEntries(await Promise.all(contents))
}

const both = (one: number, other: number) => ({ ...siteOf(one), ...siteOf(other) })

/** So many releases are recorded, and the lock of the latest is over. */
async function expectRecords(count: number, latest = count): Promise<void> {
  const folder = releasesFolder(location)
  const keys = await keysOf(folder)
  expect(keys.filter((key) => !key.endsWith('.lock'))).toHaveLength(count)
  expect(keys.slice(0, 2)).toEqual([recordKey(folder, latest), lockKey(folder, latest)])
}

const put = (client: S3Client, Key: string, Body: string | Uint8Array, rest: Partial<PutObjectCommandInput> = {}) =>
  client.send(new PutObjectCommand({ Bucket: name, Key, Body, ...rest }))

type Statement = [actions: string[], paths: string[]]

/** What the second user may do. Paths are in the bucket; the empty one is the bucket itself. */
function allowOther(...statements: Statement[]): Promise<unknown> {
  const resource = (path: string) => `arn:aws:s3:::${name}${path === '' ? '' : `/${path}`}`
  const everybody = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: [resource(`${location}/*`)] }
  const other = statements.map(([Action, paths]) => ({
    ...{ Effect: 'Allow', Principal: { AWS: [s3.other.arn] } },
    Action,
    Resource: paths.map(resource),
  }))
  const Statement = [everybody, ...other]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  return owner.send(new PutBucketPolicyCommand({ Bucket: name, Policy }))
}

/** The README's policy for whoever deploys. */
const allowDeploys = (...more: Statement[]) =>
  allowOther(
    ...more,
    [['s3:ListBucket', 's3:ListBucketMultipartUploads', 's3:GetBucketCORS'], ['']],
    [
      ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'],
      [`${location}/*`, '.static-s3/*'],
    ],
  )

describe.skipIf(!cephAvailable())(title, () => {
  beforeAll(async () => {
    s3 = await startCeph()
    owner = s3.client()
  })
  beforeEach(async () => {
    name = await s3.createBucket(undefined, { public: `${location}/` })
    expect((await deploy(1)).error).toBeUndefined()
  })
  afterAll(() => Promise.all([s3?.close(), removeApps()]))

  describe('a policy', () => {
    test('as the README has it lets a user deploy, and write nowhere else', async () => {
      await allowDeploys()
      const { error, warnings, said } = await deploy(2, { as: s3.other })
      expect(error).toBeUndefined()
      expect(said.join('\n')).toMatch('release 2 live')
      expect(await published()).toEqual(both(1, 2))
      expect(warnings).toEqual([])
      await expectRecords(2)

      const other = s3.client({ credentials: s3.other })
      for (const key of ['index.html', 'static-admin/index.html', 'static', '.static-s3x/record']) {
        expect([key, await answerTo(put(other, key, 'x'))]).toEqual([key, '403 AccessDenied'])
      }
      expect(await answerTo(put(other, `${location}/x`, 'x'))).toBe('accepted')
    })

    const refusals: [what: string, allow: () => Promise<unknown>, says: RegExp][] = [
      [
        'that a user has none of',
        async () => {},
        /: LIST .*access denied; it needs s3:ListBucket on .*\(AccessDenied\)/,
      ],
      [
        'that lets only look',
        () => allowOther([['s3:ListBucket'], ['']], [['s3:GetObject'], ['*']]),
        /: PUT static\/\S+ .*access denied; it needs s3:PutObject on .*\(AccessDenied\).*\n.*The site stands as it was/,
      ],
      [
        'for another location',
        () =>
          allowOther(
            [['s3:ListBucket'], ['']],
            [
              ['s3:GetObject', 's3:PutObject'],
              ['media/*', '.static-s3/media/*'],
            ],
          ),
        /: PUT static\/\S+ .*access denied; it needs s3:PutObject on .*\(AccessDenied\).*\n.*The site stands as it was/,
      ],
    ]
    test.each(refusals)(
      '%s: the deploy says which right is missing, and the site stands',
      async (_what, allow, says) => {
        await allow()
        const before = await keysOf()
        const { error } = await deploy(2, { as: s3.other })
        expect(error).toMatch(says)
        expect(error).not.toMatch(s3.other.accessKeyId)
        expect(await published()).toEqual(siteOf(1))
        expect(await keysOf()).toEqual(before)
      },
    )

    test('without the right to .static-s3/: the site is right, and a warning says what is missing', async () => {
      await allowOther([['s3:ListBucket'], ['']], [['s3:GetObject', 's3:PutObject'], [`${location}/*`]])
      const { error, warnings } = await deploy(2, { as: s3.other })
      expect(error).toBeUndefined()
      expect(warnings.join('\n')).toMatch(/\.static-s3\/ can't be written.*s3:PutObject/)
      expect(await published()).toEqual(both(1, 2))
    })
  })

  test.each([
    ['the record of the other is not read, and a warning says so', {}, [/the newest record is not used.*s3:GetObject/]],
    [
      'with AWS_DEFAULT_ACL=bucket-owner-full-control each knows what the other did',
      { AWS_DEFAULT_ACL: 'bucket-owner-full-control' },
      [],
    ],
  ])('two users who take turns, on a store where an object is of who wrote it: %s', async (_what, env, warns) => {
    await allowDeploys([['s3:PutObjectAcl'], [`${location}/*`, '.static-s3/*']])
    expect(await deploy(2, { as: s3.other, env })).toMatchObject({ error: undefined, warnings: [] })
    const third = await deploy(3, { env })
    expect(third.error).toBeUndefined()
    expect(third.warnings).toEqual(warns.map((text) => expect.stringMatching(text)))
    expect(await deploy(4, { as: s3.other, env })).toMatchObject({ error: undefined, warnings: [] })
    expect(await published()).toMatchObject(siteOf(4))
    await expectRecords(4)
  })

  test('a quota that ends in the middle: the old site stands, and the next run after raising it goes on', async () => {
    const quota = (objects: number) =>
      s3.admin('quota', 'set', '--quota-scope=bucket', `--bucket=${name}`, `--max-objects=${objects}`)
    const up = (await keysOf()).length
    await quota(up + 6)
    await s3.admin('quota', 'enable', '--quota-scope=bucket', `--bucket=${name}`)

    const failed = await deploy(2, { concurrency: 1 })
    expect(failed.error).toMatch(
      /: PUT static\/assets\/\S+ .*the quota of the bucket or account is used up \(QuotaExceeded\)/,
    )
    expect(failed.error).toMatch(new RegExp(`The site stands as it was\\. \\d of ${filesOfSite} files are up`))
    const there = await published()
    expect(there).toMatchObject(siteOf(1))
    const arrived = Object.keys(there).length - filesOfSite
    expect(arrived).toBeGreaterThan(0)

    await quota(1000)
    const next = await deploy(2)
    expect(next).toMatchObject({ error: undefined, warnings: [] })
    expect(next.puts).toHaveLength(filesOfSite - arrived)
    expect(await published()).toEqual(both(1, 2))
    // The number of the one that failed is not taken again.
    await expectRecords(2, 3)
  })

  describe('a user who is suspended', () => {
    const suspend = () => s3.admin('user', 'suspend', `--uid=${s3.users.other}`)
    const allowAgain = () => s3.admin('user', 'enable', `--uid=${s3.users.other}`)

    const moments: [
      when: string,
      begin: () => unknown,
      onPut: (key: string, count: number) => unknown,
      says: RegExp,
    ][] = [
      ['before the deploy', suspend, () => {}, /: LIST .*the account does not allow it.*\(UserSuspended\)/],
      [
        'in the middle of it',
        () => {},
        (_key, count) => (count === 6 ? suspend() : undefined),
        /: PUT static\/assets\/\S+ .*the account does not allow it.*\(UserSuspended\)[\s\S]*The site stands as it was/,
      ],
    ]
    test.each(moments)(
      '%s: one message, the old site stands, and later it goes on',
      async (_when, begin, onPut, says) => {
        await allowDeploys()
        await begin()
        const { error } = await deploy(2, { as: s3.other, concurrency: 1, onPut })
        await allowAgain()
        expect(error).toMatch(says)
        expect(await published()).toMatchObject(siteOf(1))

        const next = await deploy(2, { as: s3.other })
        expect(next).toMatchObject({ error: undefined, warnings: [] })
        expect(await published()).toEqual(both(1, 2))
      },
    )
  })

  test.each([
    ['fingerprinted files', (key: string) => key.startsWith(`${location}/assets/`)],
    ['pages, under the lock', (key: string) => key.endsWith('.html')],
  ])('a disk that hangs for seconds while %s are uploaded: the deploy waits, and ends right', async (_what, isHeld) => {
    let stalled = false
    let atStall: () => void = () => {}
    const reached = new Promise<void>((resolve) => {
      atStall = resolve
    })
    const onPut = (key: string) => {
      if (stalled || !isHeld(key)) return
      stalled = true
      s3.stall()
      atStall()
    }
    let ended = false
    const deployed = deploy(2, { onPut, clock: { ...patient, sleep: (ms) => wait(ms) } }).finally(() => {
      ended = true
    })
    try {
      await reached
      await wait(3000)
      expect(ended).toBe(false)
    } finally {
      s3.resume()
    }
    expect(await deployed).toMatchObject({ error: undefined, warnings: [] })
    expect(await published()).toEqual(both(1, 2))
    await expectRecords(2)
  })

  describe('a PUT', () => {
    test.each(['with a reset', 'with an end'])(
      'that breaks off half-way %s leaves the old object, and no half one',
      async (how) => {
        const size = 1_000_000
        for (const key of ['index.html', 'new.html']) {
          const url = new URL(presign(s3, name, `${location}/${key}`, { method: 'PUT' }))
          const socket = connect(Number(url.port), url.hostname)
          const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
          socket.on('error', () => {})
          socket.resume()
          const head = `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${size}\r\n\r\n`
          await new Promise((sent) =>
            socket.write(Buffer.concat([Buffer.from(head), Buffer.alloc(size / 2, 'x')]), sent),
          )
          if (how === 'with a reset') socket.resetAndDestroy()
          else socket.end()
          await closed
        }
        expect(await published()).toEqual(siteOf(1))
        const { Uploads = [] } = await owner.send(new ListMultipartUploadsCommand({ Bucket: name }))
        expect(Uploads).toEqual([])
        expect(await deploy(2)).toMatchObject({ error: undefined, warnings: [] })
        expect(await published()).toEqual(both(1, 2))
      },
    )

    test('with If-None-Match, of 24 at once: one wins, and its bytes are there', async () => {
      for (let round = 0; round < 10; round++) {
        const key = `race/${round}`
        const answers = await Promise.all(
          Array.from({ length: 24 }, (_, i) => answerTo(put(owner, key, `${i}`, { IfNoneMatch: '*' }))),
        )
        const winners = answers.flatMap((answer, i) => (answer === 'accepted' ? [`${i}`] : []))
        expect(winners).toHaveLength(1)
        expect(new Set(answers)).toEqual(new Set(['accepted', '412 PreconditionFailed']))
        const { Body } = await owner.send(new GetObjectCommand({ Bucket: name, Key: key }))
        expect(await Body?.transformToString()).toBe(winners[0])
      }
    })

    const md5 = (content: string) => createHash('md5').update(content).digest('base64')

    test('whose body does not fit Content-MD5 is refused: BadDigest', async () => {
      const send = (body: string) => put(owner, `${location}/index.html`, body, { ContentMD5: md5('what was sent') })
      expect(await answerTo(send('what arrived.'))).toBe('400 BadDigest')
      expect(await published()).toEqual(siteOf(1))
      expect(await answerTo(send('what was sent'))).toBe('accepted')
    })

    test('whose body does not fit x-amz-content-sha256 is refused: XAmzContentSHA256Mismatch', async () => {
      const client = s3.client()
      client.middlewareStack.add(
        (next) => (args) => {
          Object.assign(args.request as object, { body: Buffer.from('what arrived.') })
          return next(args)
        },
        // After signing.
        { step: 'finalizeRequest', priority: 'low' },
      )
      const answer = await answerTo(put(client, `${location}/index.html`, 'what was sent'))
      expect(answer).toBe('400 XAmzContentSHA256Mismatch')
      expect(await published()).toEqual(siteOf(1))
    })

    test('of a file that changes on its way: the deploy says so, and the object that was there stands', async () => {
      const { bucket, close } = await openBucket(settingsFor(s3, name), patient)
      const body: Body = {
        size: 13,
        sha256: createHash('sha256').update('what was sent').digest('hex'),
        open: async () => Buffer.from('what arrived.'),
      }
      const error = await errorOf(bucket.put(`${location}/index.html`, body, {}))
      close()
      expect(error?.message).toMatch(
        /the content arrived damaged, after 3 attempts; .*stands \(XAmzContentSHA256Mismatch\)/,
      )
      expect(await published()).toEqual(siteOf(1))
    })
  })

  describe.skipIf(!limitsRates)(rateTitle, () => {
    const limit = (writes: number) =>
      s3.admin('ratelimit', 'set', '--ratelimit-scope=bucket', `--bucket=${name}`, `--max-write-ops=${writes}`)
    const enable = () => s3.admin('ratelimit', 'enable', '--ratelimit-scope=bucket', `--bucket=${name}`)

    test('that stays: the deploy says so after five attempts, and the site stands', async () => {
      await limit(5)
      await enable()
      const { error } = await deploy(2, { concurrency: 1 })
      expect(error).toMatch(/asks to slow down, after 5 attempts.*\(SlowDown\)[\s\S]*The site stands as it was/)
      expect(await published()).toMatchObject(siteOf(1))
    })

    test('that is raised while the deploy waits: it goes on', async () => {
      await limit(5)
      await enable()
      const sleep = vi.fn(async () => {
        await limit(100_000)
      })
      const deployed = await deploy(2, { concurrency: 1, clock: { ...patient, sleep } })
      expect(sleep).toHaveBeenCalled()
      expect(deployed).toMatchObject({ error: undefined, warnings: [] })
      expect(await published()).toEqual(both(1, 2))
    })
  })
})

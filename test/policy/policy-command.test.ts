import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutBucketCorsCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { runInProcess } from '../../fixtures/build/command-in-process.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeApp, removeApps } from '../../fixtures/build/in-process.js'
import { cephAvailable, startCeph } from '../../fixtures/s3/ceph.js'
import { startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'
import type { PolicyDocument, PolicyStatement } from '../../src/bucket/configuration.js'
import { corsRule } from '../../src/policy/cors.js'

afterAll(removeApps)

const aws = { AWS_STORAGE_BUCKET_NAME: 'my-bucket', AWS_S3_REGION_NAME: 'eu-central-1' }
async function policy(words: string, env: Record<string, string> = aws) {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  return runInProcess('policy', ...words.split(' ')).finally(() => vi.unstubAllEnvs())
}

describe('static-s3 policy', () => {
  test.each<[words: string, expected: object]>([
    ['iam --prune --location a/b', { Statement: { length: 3 } }],
    ['bucket --region cn-north-1', { Statement: { 0: { Resource: 'arn:aws-cn:s3:::my-bucket/static/*' } } }],
    ['cors --origin https://a.example', { CORSRules: [{ AllowedOrigins: ['https://a.example'] }] }],
    ['lifecycle', { Rules: { length: 5 } }],
    ['oidc --account 123456789012 --gitlab g/p', { Statement: [{ Sid: 'StaticS3TrustGitLab' }] }],
    [
      'bucket --location previews/[branch] --immutable assets/*',
      {
        Statement: [
          { Resource: 'arn:aws:s3:::my-bucket/previews/*/*' },
          { Resource: 'arn:aws:s3:::my-bucket/.static-s3/*' },
          { Resource: ['arn:aws:s3:::my-bucket/previews/*/assets/*'] },
        ],
      },
    ],
    ['bucket --location [branch]', { Statement: { 0: { NotResource: 'arn:aws:s3:::my-bucket/.static-s3/*' } } }],
    ['cloudformation --location previews/[branch]', { Outputs: { Location: { Value: 'previews/[branch]' } } }],
    ['cloudformation', { Outputs: { BucketName: { Description: 'AWS_STORAGE_BUCKET_NAME' } } }],
  ])('%s prints the document alone, and hints beside it', async (words, expected) => {
    const { code, stdout, stderr } = await policy(words)
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^aws |: aws /m)])
    expect(JSON.parse(stdout)).toMatchObject(expected)
  })

  test.each([
    ['', /policy needs a name: iam\|bucket/],
    ['iam --cloudfront d1.cloudfront.net', /--cloudfront is d1.*use ACCOUNT:ID/],
    ['bucket --cloudfront E2X', /add its account/],
    ['bucket --cloudfront 123456789012:E2X --from 192.0.2.1', /leave out --from/],
    ...['999.1.1.1', '192.0.2.0/33', '2001:db8::/129', '192.0.2.0/', 'example.com', ''].map(
      (from): [string, RegExp] => [`bucket --from ${from}`, /--from is .*use an address or a range/],
    ),
    ['bucket --referer ', /--referer is empty/],
    ['bucket --immutable *.{js,css}', /--immutable is .*use \* and \? only/],
    ['bucket --immutable a/* --endpoint https://s3.example.com', /is for AWS/],
    ['cors --origin https://a.example/x', /--origin is https.*without a path/],
    ['cloudformation --origin a.example', /--origin is a\.example/],
    ['oidc --account 123456789012 --github o/*', /o\/\* is not a project/],
    ['oidc --github o/r', /--account and its 12 digits/],
    ['terraform --region us-gov-west-1', /us-gov-west-1/],
    ['terraform --custom-domain cdn.example.com', /add --certificate/],
  ])('%s: exit code 2, and what to do', async (words, says) => {
    const { code, stdout, stderr } = await policy(words)
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(says)])
  })

  test('--help tells of each policy and of its flags', async () => {
    const { stdout } = await policy('--help')
    const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name)
    expect(names).toEqual(['iam', 'bucket', 'cors', 'lifecycle', 'oidc', 'csp', 'cloudformation', 'terraform'])
    for (const name of names) {
      const { code, stdout } = await policy(`${name} --help`)
      expect([code, stdout]).toEqual([0, expect.stringContaining(`static-s3 policy ${name}`)])
      expect(stdout).toContain('--mode MODE')
    }
  })
})

const servers: [name: string, available: boolean, start: () => Promise<TestS3>][] = [
  ['the embedded server', true, startEmbedded],
  ['Ceph', cephAvailable(), startCeph],
]
describe.each(servers)('the printed policies on %s', (name, available, start) => {
  const isEmbedded = name !== 'Ceph'
  describe.skipIf(!available)(available ? 'hold' : 'hold: skipped, not installed', () => {
    let s3: TestS3
    let bucket: string
    let dir: string
    beforeAll(async () => {
      s3 = await start()
      dir = await makeApp({ 'dist/index.html': '<!doctype html>', 'dist/assets/a.js': '1' })
    })
    afterAll(() => s3?.close())
    beforeEach(async () => {
      bucket = await s3.createBucket(undefined, { public: 'nothing/' })
    })

    const deploy = async (content: string, as: TestS3['credentials']) => {
      await writeFile(join(dir, 'dist/assets/a.js'), content)
      const env = { ...deployEnv({ ...s3, credentials: as }, bucket), STATIC_S3_VERIFY: 'warn' }
      return runCommand(dir, ['deploy', 'dist'], env)
    }
    const printed = async (words: string) => {
      const { stdout } = await runCommand(dir, ['policy', ...words.split(' ')], deployEnv(s3, bucket))
      return JSON.parse(stdout) as PolicyDocument
    }
    /** These servers have no policies of users. So the bucket's policy names the user. */
    const allow = async (without?: string) => {
      const [readers, rights] = await Promise.all([printed('bucket'), printed('iam')])
      const Principal = { AWS: s3.other.arn }
      const granted = rights.Statement.map((each) => ({ ...each, Principal, Action: actionsOf(each, without) }))
      const Statement = [...readers.Statement, ...granted.filter(({ Action }) => Action.length > 0)]
      await s3
        .client()
        .send(
          new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }),
        )
    }
    const actionsOf = ({ Action = [] }: PolicyStatement, without?: string) =>
      [Action].flat().filter((each) => each !== without)

    test.runIf(isEmbedded)(
      'a deploy of a large file without s3:ListBucketMultipartUploads names the right (the embedded server alone: Ceph takes long for 100 MB)',
      async () => {
        await allow('s3:ListBucketMultipartUploads')
        const large = join(dir, 'dist/large.bin')
        await writeFile(large, '')
        await truncate(large, 100 * 1024 ** 2 + 1)
        const { code, stderr } = await deploy('first', s3.other)
        await rm(large)
        const says = /parts of failed uploads stay in the bucket: allow s3:ListBucketMultipartUploads/
        expect([code, stderr]).toEqual([0, expect.stringMatching(says)])
      },
    )

    test('a deploy passes with these rights, and visitors read the location alone', async () => {
      await allow()
      await limitCors()
      for (const content of ['first', 'second']) {
        const { code, stderr } = await deploy(content, s3.other)
        expect([code, stderr]).toEqual([0, ''])
      }
      const get = async (key: string) => (await fetch(`${s3.endpoint}/${bucket}/${key}`)).status
      expect(await get('static/assets/a.js')).toBe(200)
      expect(await get('.static-s3/static/releases/99999998.json.gz')).toBe(403)
    })

    const limitCors = async () => {
      const rule = corsRule(['https://a.example'])
      await s3.client().send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } }))
    }

    // test/stores/multipart.test.ts has those for parts of uploads.
    test.each<[right: string, code: number, says: RegExp]>([
      ['s3:GetBucketCORS', 0, /if it may read them \(s3:GetBucketCORS\)/],
      ['s3:ListBucket', 1, /LIST .*it needs s3:ListBucket/],
      ['s3:PutObject', 1, /PUT .*it needs s3:PutObject/],
      ['s3:GetObject', 0, /the newest record is not used.*s3:GetObject/],
    ])('without %s: exit code %d, and the right is named', async (right, code, says) => {
      expect((await deploy('first', s3.credentials)).code).toBe(0)
      await allow(right)
      await limitCors()
      const after = await deploy('second', s3.other)
      expect([after.code, after.stderr]).toEqual([code, expect.stringMatching(says)])
    })
  })
})

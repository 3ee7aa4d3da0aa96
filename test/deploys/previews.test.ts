import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { ListObjectsV2Command, PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { runInProcess as run } from '../../fixtures/build/command-in-process.js'
import { makeApp, removeApps, stubDeployEnv, viteBuild } from '../../fixtures/build/in-process.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'
import type { PolicyDocument } from '../../src/bucket/configuration.js'
import { branchVariables } from '../../src/settings/checkout.js'
import { staticS3 } from '../../src/vite.js'

// Branches of a repository, each built by Vite and deployed to a preview of its own, with the printed rights and no others.

const started = process.cwd()
let s3: EmbeddedS3
let bucket: string
withBucket(
  (target) => {
    ;({ s3, bucket } = target)
  },
  { public: 'nothing/' },
)
afterEach(() => {
  process.chdir(started)
  vi.unstubAllEnvs()
})
afterAll(removeApps)

const git = (...args: string[]) =>
  execFileSync('git', [...'-c user.name=x -c user.email=x@example.com -c commit.gpgSign=false'.split(' '), ...args])

const keys = async (Prefix: string) => {
  const { Contents = [] } = await s3.client().send(new ListObjectsV2Command({ Bucket: bucket, Prefix }))
  return Contents.map(({ Key = '' }) => Key)
}

/** The CI service of these tests may name its own branch. */
const ofService = [...branchVariables, 'GITHUB_REF_TYPE', 'GITHUB_EVENT_PATH']

const hasGit = spawnSync('git', ['--version']).status === 0
test.skipIf(!hasGit)(
  `each branch has a preview, and prune --previews deletes the expired one${hasGit ? '' : ' (SKIPPED: git is not installed)'}`,
  async () => {
    for (const name of ofService) vi.stubEnv(name, '')
    const more = { AWS_LOCATION: 'previews/[branch]', STATIC_S3_VERIFY: 'fail' }
    stubDeployEnv(s3, bucket, more)
    // No branch is needed for what serves all previews.
    const set = await run('setup', '--yes')
    expect([set.code, set.stdout]).toEqual([0, expect.stringContaining('\n  AWS_LOCATION=previews/[branch]\n')])
    expect((await run('setup', '--dry-run')).stdout).toContain('nothing to change')
    stubDeployEnv({ ...s3, credentials: s3.other } as EmbeddedS3, bucket, more)
    const printed = async (...words: string[]) =>
      (JSON.parse((await run('policy', ...words)).stdout) as PolicyDocument).Statement
    // These servers have no policies of users. So the bucket's policy names the user.
    const rights = (await printed('iam', '--prune')).map((each) => ({ ...each, Principal: { AWS: s3.other.arn } }))
    const Statement = [...(await printed('bucket')), ...rights]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    await s3.client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))

    const root = await makeApp({
      'index.html': '<!doctype html><script type="module" src="/main.js"></script>',
      'main.js': "import photo from './photo.png'\ndocument.title = import.meta.env.STATIC_URL + photo",
      'photo.png': randomBytes(100_000),
    })
    process.chdir(root)
    git('init', '--quiet', '--initial-branch', 'main')
    git('commit', '--quiet', '--allow-empty', '--message', 'first')
    const read = async (branch: string) =>
      (await fetch(`${s3.endpoint}/${bucket}/previews/${branch}/index.html`)).text()
    for (const [branch, name] of [
      ['main', 'main'],
      ['feature/x', 'feature--x'],
      ['work', 'work'],
    ] as const) {
      git('checkout', '--quiet', '-B', branch)
      await viteBuild('vite', root, { plugins: [staticS3()] })
      expect(await read(name)).toContain(`src="${s3.endpoint}/${bucket}/previews/${name}/assets/index-`)
      expect((await run('url', 'index.html')).stdout.trim()).toBe(
        `${s3.endpoint}/${bucket}/previews/${name}/index.html`,
      )
      expect((await run('releases')).stdout).toContain(`s3://${bucket}/previews/${name} `)
    }

    // The first preview's photo is copied for the others.
    const photos = s3.server.requests.filter(({ method, key }) => method === 'PUT' && key?.endsWith('.png'))
    expect(photos.map(({ operation, status }) => `${operation} ${status}`)).toEqual([
      ...['PutObject 200', 'CopyObject 200', 'CopyObject 200'],
    ])

    // The records of other commands are a preview's too.
    for (const words of [['hold', 'wait'], ['resume'], ['prune', '--keep-releases', '1', '--keep-days', '0']])
      expect(await run(...words), words.join(' ')).toMatchObject({ code: 0 })

    const words = ['prune', '--previews', '--keep-days', '0']
    expect((await run(...words, '--keep', 'feature/x', '--dry-run')).stdout).toMatch(
      /\(kept branch\)\ndry run: nothing was deleted\n$/,
    )
    const dry = await run(...words, '--dry-run')
    expect(dry.stdout).toMatch(
      /kept +2 previews, previews\/main \(kept branch\), previews\/work \(kept branch\)\n +to delete 1 preview: .*\n +- previews\/feature--x: 0 days old, 3 files, /,
    )
    const pruned = await run(...words, '--json')
    expect([pruned.code, pruned.stderr]).toEqual([0, ''])
    expect(JSON.parse(pruned.stdout)).toMatchObject({
      ...{ status: 'pruned', template: 'previews/[branch]', problem: null },
      deleted: [{ location: 'previews/feature--x', branch: 'feature/x', files: 3, others: 0 }],
      kept: [{ branch: 'main' }, { branch: 'work', why: 'branch' }],
    })
    expect(await keys('previews/feature--x/')).toEqual([])
    expect((await keys('.static-s3/previews/feature--x/')).every((key) => key.endsWith('.lock'))).toBe(true)
    expect(await read('main')).toContain('/previews/main/assets/')
    expect(JSON.parse((await run(...words, '--json')).stdout)).toMatchObject({ status: 'unchanged', deleted: [] })
  },
)

test.each<[words: string[], code: number, says: string]>([
  [
    ['--previews', '--location', 'static'],
    1,
    'the location is "static": --previews needs the location of all previews',
  ],
  [['--previews', '--unreferenced'], 2, '--unreferenced is about releases'],
  [['--previews', '--keep-releases', '3'], 2, '--keep-releases is about releases'],
  [['--keep', 'x'], 2, 'add --previews'],
])('static-s3 prune %j ends with %i', async (words, code, says) => {
  vi.stubEnv('AWS_STORAGE_BUCKET_NAME', 'a-bucket')
  vi.stubEnv('AWS_S3_REGION_NAME', 'eu-west-1')
  expect(await run('prune', ...words)).toMatchObject({ code, stderr: expect.stringContaining(says) })
})

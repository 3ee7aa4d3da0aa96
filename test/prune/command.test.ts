import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectsV2Command,
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { runInProcess as run } from '../../fixtures/build/command-in-process.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'
import { abortsUploads, type LifecycleRule } from '../../src/bucket/configuration.js'

// Ten releases by the command, on both stores.

afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(removeFolders)

/** A build by Vite, by hand. */
function build(n: number): Record<string, string> {
  const code = `title(${n})`
  const file = `assets/main-${createHash('md5').update(code).digest('hex').slice(0, 8)}.js`
  const manifest = { 'src/main.js': { file, src: 'src/main.js', isEntry: true } }
  const once: Record<string, string> = n === 1 ? { 'main.js.txt': 'published once' } : {}
  return { 'index.html': `<title>${n}</title>`, [file]: code, '.vite/manifest.json': JSON.stringify(manifest), ...once }
}

for (const { title, available, start } of s3Servers) {
  describe.skipIf(!available)(`static-s3 prune on ${title}`, () => {
    let s3: TestS3
    let bucket: string
    beforeAll(async () => {
      s3 = await start()
    })
    beforeEach(async () => {
      bucket = await s3.createBucket()
      for (const [variable, value] of Object.entries(deployEnv(s3, bucket))) vi.stubEnv(variable, value)
    })
    afterAll(() => s3?.close())

    const listing = async () => {
      const { Contents = [] } = await s3.client().send(new ListObjectsV2Command({ Bucket: bucket }))
      return new Map(Contents.map(({ Key = '', ETag, LastModified, Size = 0 }) => [Key, { ETag, LastModified, Size }]))
    }
    const read = async (Key: string) =>
      (await s3.client().send(new GetObjectCommand({ Bucket: bucket, Key }))).Body?.transformToString()

    it('deletes what it announces of ten builds, one taken back and one staged, and the kept ones can be restored', async () => {
      const deploy = async (n: number, ...flags: string[]) => {
        const deployed = await run('deploy', await makeFolder(build(n)), '--verify', 'false', '--json', ...flags)
        expect(deployed.code, deployed.stderr).toBe(0)
        return deployed.result
      }
      const live = async () => /\d+/.exec((await read('static/index.html')) ?? '')?.[0]
      for (let n = 1; n <= 8; n++) expect(await deploy(n)).toMatchObject({ status: 'live', release: n })
      expect(await run('rollback', '--verify', 'false')).toMatchObject({ code: 0 })
      expect(await deploy(8)).toMatchObject({ status: 'staged', release: 11 })
      expect(await live()).toBe('7')
      expect(await run('resume')).toMatchObject({ code: 0 })
      expect(await deploy(9)).toMatchObject({ status: 'live', release: 13 })
      expect(await deploy(10, '--stage')).toMatchObject({ status: 'staged', release: 14 })
      expect(await live()).toBe('9')
      expect(await run('activate', '14', '--verify', 'false')).toMatchObject({ code: 0 })
      expect(await live()).toBe('10')
      for (const Key of ['static/theirs.js', 'static-admin/theirs.js'])
        await s3.client().send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'theirs' }))
      const before = await listing()
      const words = ['prune', '--keep-releases', '3', '--keep-days', '0']
      expect((await run(...words, '--max-delete', '1')).stderr).toMatch(
        /5 objects would be deleted .*Nothing was deleted/,
      )
      expect((await run(...words, '--max-delete', '1', '--dry-run')).stderr).toContain(
        'Check the files above, then allow them with --max-delete 5',
      )
      const lockKey = '.static-s3/static/releases/99999983.lock'
      await s3.client().send(new PutObjectCommand({ Bucket: bucket, Key: lockKey, Body: 'a running deploy' }))
      expect((await run(...words, '--dry-run')).stdout).toContain('A deploy is running')
      await s3.client().send(new DeleteObjectCommand({ Bucket: bucket, Key: lockKey }))
      const dry = await run(...words, '--dry-run')
      expect(dry.stdout).toMatch(
        /kept +8 releases, the oldest is 1\n +expired +7 releases: 2 to 6, 8 to 9\n +to delete +5 files, 5 backups, 7 records: /,
      )
      expect(dry.stdout).toContain('static/main.js.txt\n  static-s3 prune --unreferenced')
      const announced = await run(...words, '--dry-run', '--json')
      expect(await listing()).toEqual(before)

      const { code, result, stderr } = await run(...words, '--json')
      expect(code, stderr).toBe(0)
      expect(result).toEqual({ ...announced.result, status: 'pruned', release: 16 })
      const after = await listing()
      const gone = [...before].filter(([key]) => !after.has(key))
      expect(gone.reduce((sum, [, { Size }]) => sum + Size, 0)).toBe(result.bytes)
      const inSite = gone.filter(([key]) => !key.startsWith('.static-s3/')).map(([key]) => key)
      expect(inSite.sort()).toEqual(result.deleted.sort())
      expect(inSite).toHaveLength(5)
      // All others are as they were.
      for (const [key, object] of after) if (before.has(key)) expect(object, key).toEqual(before.get(key))
      expect((await run('releases')).stdout).toMatch(/16 {2}prune .*\n +15 {2}live /)
      const unchanged = (await run('deploy', await makeFolder(build(10)), '--verify', 'false', '--json')).result
      expect(unchanged).toMatchObject({ status: 'unchanged' })

      const asked = await run(...words, '--unreferenced', '--json')
      expect(asked.result.deleted.sort()).toEqual(
        [...before.keys()]
          .filter((key) => key === 'static/main.js.txt' || key === `static/${Object.keys(build(1))[1]}`)
          .sort(),
      )
      for (const [release, build] of [
        ['13', '9'],
        ['10', '7'],
      ] as const) {
        expect((await run('activate', release, '--verify', 'false')).code).toBe(0)
        expect(await live()).toBe(build)
      }
      expect(await run('activate', '8')).toMatchObject({ code: 1, stderr: expect.stringContaining('no release 8') })
    })

    it('tags what it would delete, prints the rules that delete it, and a deploy writes it again', async () => {
      for (let n = 1; n <= 3; n++) await run('deploy', await makeFolder(build(n)), '--verify', 'false')
      const before = await listing()
      const words = ['prune', '--keep-releases', '1', '--keep-days', '0', '--unreferenced', '--tag']
      expect((await run(...words, '--dry-run')).stdout).toMatch(/to tag {5}3 files, 3 backups.*\n.*policy lifecycle/)
      const { code, stderr, result } = await run(...words, '--json')
      expect(code, stderr).toBe(0)
      expect(result).toMatchObject({
        status: 'tagged',
        release: 5,
        expired: [2, 1],
        deleted: [],
        backups: 3,
        records: 2,
      })
      const tags = async (Key: string) =>
        (await s3.client().send(new GetObjectTaggingCommand({ Bucket: bucket, Key }))).TagSet
      const expired = `static/${Object.keys(build(2))[1]}`
      expect(result.tagged).toContain(expired)
      expect(await tags(expired)).toEqual(
        expect.arrayContaining([
          { Key: 'static-s3', Value: 'expired' },
          { Key: 'static-s3-expired-at', Value: expect.stringMatching(/^2\d{3}-/) },
        ]),
      )
      const after = await listing()
      for (const [key, { ETag }] of before) expect(after.get(key)?.ETag, key).toBe(ETag)
      expect(
        (await run('releases', '--json')).result.releases.map((each: { release: number }) => each.release),
      ).toEqual([5, 4, 3])
      expect((await run(...words)).stdout).toMatch(/the oldest is \d\n✓ nothing to prune\n$/)

      const rolledBack = await run('rollback', '--verify', 'false')
      expect(rolledBack).toMatchObject({ code: 1, stderr: expect.stringContaining('no release before release 3') })
      const again = await run('activate', '2', '--verify', 'false')
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('has expired') })
      const deployed = await run('deploy', await makeFolder(build(2)), '--verify', 'false', '--json')
      expect(deployed.result).toMatchObject({ status: 'live', updated: expect.arrayContaining([expired.slice(7)]) })
      expect(await tags(expired)).toEqual([])

      const { Rules } = (await run('policy', 'lifecycle')).result
      const client = s3.client()
      await client.send(
        new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules } }),
      )
      const stored = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }))
      expect(stored.Rules?.map(({ ID }) => ID).sort()).toEqual(Rules.map(({ ID }: { ID: string }) => ID).sort())
      // Setup finds its own rule.
      expect(stored.Rules?.some((rule) => abortsUploads(rule as LifecycleRule, 'static/'))).toBe(true)
    })
  })
}

test.each<[words: string[], says: string]>([
  [['x'], 'prune takes no words'],
  [['--keep-releases', '0'], '--keep-releases is 0'],
  [['--keep-days', 'x'], '--keep-days is x'],
  [['--max-delete', 'x'], '--max-delete is x'],
  [['--previews', '--tag'], '--tag is about releases'],
])('static-s3 prune %j is a wrong command line', async (words, says) => {
  expect(await run('prune', ...words)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) })
})

import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import { type Bucket, bodyOfBytes } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { decodeRecord } from '../../src/release/records/format.js'
import { recordKey, releasesFolder } from '../../src/release/records/releases-folder.js'
import { release } from '../../src/release/release.js'
import { takeSurvey } from '../../src/release/survey.js'
import type { Settings } from '../../src/settings/settings.js'

const location = 'static'
const settings = {
  activate: true,
  location,
  concurrency: 4,
  lockTimeout: 10,
  objectParameters: {},
  force: false,
  fileOverwrite: true,
}

function page(text: string, where = location, path = 'index.html'): HashedFile {
  const content = Buffer.from(text)
  const key = where === '' ? path : `${where}/${path}`
  return {
    ...{ path, dir: '/nowhere', key, group: 'html', parameters: {}, content },
    ...{ size: content.length, md5: hash('md5', content), sha256: hash('sha256', content) },
  }
}

interface Site {
  where?: string
  path?: string
  project?: string | undefined
}

/** Releases a page with this text. */
async function deploy(bucket: Bucket, text: string, { where = location, path, project }: Site = {}) {
  const warnings: string[] = []
  const survey = await takeSurvey(bucket, where)
  warnings.push(...survey.warnings)
  const released = await release({
    files: [page(text, where, path)],
    survey,
    bucket,
    deployer: async () => ({ id: text, by: 'somebody', commit: undefined, bundler: 'none', project }),
    settings: { ...settings, location: where } as unknown as Settings,
    warn: (message) => warnings.push(message),
    onProgress: () => {},
    onWait: () => {},
  })
  const key = recordKey(releasesFolder(where), released.release ?? 0)
  const { conditionalWrites } = await decodeRecord(where, (await bucket.get(key)) ?? Buffer.alloc(0))
  return { release: released.release, conditionalWrites, warnings }
}

it('a store that ignores conditional writes is found out by every deploy, which all say so', async () => {
  const bucket = memoryBucket()
  const ignoring: Bucket = {
    ...bucket,
    put: (key, body, { IfNoneMatch, ...parameters }, signal) => bucket.put(key, body, parameters, signal),
  }
  const found = { conditionalWrites: false, warnings: [expect.stringContaining('ignores conditional writes')] }
  expect(await deploy(ignoring, 'one')).toEqual({ release: 1, ...found })
  expect(await deploy(ignoring, 'two')).toEqual({ release: 2, ...found })
})

it('a store that minds them is found out once', async () => {
  const bucket = memoryBucket()
  const found = { conditionalWrites: true, warnings: [] }
  const locks = () => bucket.log.filter((line) => line.startsWith('begin put') && line.endsWith('.lock')).length
  expect(await deploy(bucket, 'one')).toEqual({ release: 1, ...found })
  expect(locks()).toBe(2)
  expect(await deploy(bucket, 'two')).toEqual({ release: 2, ...found })
  expect(locks()).toBe(3)
})

describe('another project', () => {
  const app = { project: 'app' }
  const warnsOf = (key: string, project: string, where: string) => [
    `${key}: replaced, though the project "${project}" deployed it (to ${where}). Give each project an AWS_LOCATION of its own.`,
  ]

  it('in the same location is named if its files are replaced, each time that they are', async () => {
    const bucket = memoryBucket()
    await deploy(bucket, 'one', { project: 'shop' })
    const warnings = warnsOf('static/index.html', 'shop', 'this location as well')
    expect(await deploy(bucket, 'two', app)).toMatchObject({ warnings })
    expect(await deploy(bucket, 'three', app)).toMatchObject({ warnings: [] })
    expect(await deploy(bucket, 'four', { project: 'shop' })).toMatchObject({
      warnings: warnsOf('static/index.html', 'app', 'this location as well'),
    })
  })

  it.each<[what: string, theirs: Site, ours: Site, key: string, where: string]>([
    ['around ours', { path: 'app/index.html' }, { where: 'static/app' }, 'static/app/index.html', 'static'],
    ['inside of ours', { where: 'static/app' }, { path: 'app/index.html' }, 'static/app/index.html', 'static/app'],
    ['at the root', { where: '', path: 'static/index.html' }, {}, 'static/index.html', "the bucket's root"],
  ])('in a location %s is named if its files are replaced', async (_what, theirs, ours, key, where) => {
    const bucket = memoryBucket()
    await deploy(bucket, 'one', { ...theirs, project: 'shop' })
    expect(await deploy(bucket, 'two', { ...ours, ...app })).toMatchObject({ warnings: warnsOf(key, 'shop', where) })
  })

  it.each<[what: string, theirs: Site, ours: Site]>([
    ['with other files in the same location', { path: 'shop.html', project: 'shop' }, app],
    ['without a name', {}, app],
    ['with a name, if ours has none', { project: 'shop' }, {}],
    ['beside ours', { where: 'static-admin', project: 'shop' }, app],
  ])('is not mentioned: one %s', async (_what, theirs, ours) => {
    const bucket = memoryBucket()
    await deploy(bucket, 'one', theirs)
    expect(await deploy(bucket, 'two', ours)).toMatchObject({ warnings: [] })
  })
})

it('an object with a number that no release can have is ignored, and a release follows the newest one', async () => {
  const bucket = memoryBucket()
  await deploy(bucket, 'one')
  const names = ['00000000.json.gz', '00000000.lock', '09999998.lock']
  for (const name of names) await bucket.put(`${releasesFolder(location)}${name}`, bodyOfBytes(Buffer.from('{}')), {})
  const told = (name: string) =>
    `.static-s3/static/releases/${name} is not a release of static-s3 and is ignored: delete it`
  expect(await deploy(bucket, 'two')).toMatchObject({ release: 2, warnings: names.map(told) })
})

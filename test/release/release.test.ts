import { hash } from 'node:crypto'
import { expect, it } from 'vitest'
import { memoryBucket } from '../../fixtures/bucket/memory-bucket.js'
import type { Bucket } from '../../src/bucket/bucket.js'
import type { HashedFile } from '../../src/files/hash.js'
import { decodeRecord } from '../../src/release/record.js'
import { release } from '../../src/release/release.js'
import { recordKey, releasesFolder } from '../../src/release/releases-folder.js'
import { takeSurvey } from '../../src/release/survey.js'
import type { Settings } from '../../src/settings/settings.js'

const location = 'static'
const settings = { location, concurrency: 4, lockTimeout: 10, objectParameters: {}, force: false, fileOverwrite: true }

function page(text: string): HashedFile {
  const content = Buffer.from(text)
  return {
    ...{ path: 'index.html', dir: '/nowhere', key: 'static/index.html', group: 'html', parameters: {}, content },
    ...{ size: content.length, md5: hash('md5', content), sha256: hash('sha256', content) },
  }
}

/** Releases a page with this text. */
async function deploy(bucket: Bucket, text: string) {
  const warnings: string[] = []
  const released = await release({
    files: [page(text)],
    survey: await takeSurvey(bucket, location),
    bucket,
    deployer: async () => ({ id: text, by: 'somebody', commit: undefined, bundler: 'none' }),
    settings: settings as unknown as Settings,
    warn: (message) => warnings.push(message),
    onProgress: () => {},
    onWait: () => {},
  })
  const key = recordKey(releasesFolder(location), released.release ?? 0)
  const { conditionalWrites } = await decodeRecord(location, (await bucket.get(key)) ?? Buffer.alloc(0))
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

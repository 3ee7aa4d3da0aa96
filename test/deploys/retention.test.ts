import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { uploadedPaths } from '../../fixtures/build/site.js'
import type { Options } from '../../src/settings/options.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// The prune after a release: builds of a webpack array, two in one location.

const target = deployTarget()
const [, webpack] = bundlers[0] as (typeof bundlers)[number]
const dir = await makeApp({})
const report = join(dir, 'report.json')

async function build(
  one: string,
  options: Options,
  two = 'first',
): Promise<{ pruned?: unknown; warnings: string[]; status: string; uploaded: string[] }[]> {
  await rm(report, { force: true })
  await writeFiles(dir, { 'one.js': `document.title = 'one ${one}'`, 'two.js': `document.title = 'two ${two}'` })
  const plugins = [new StaticS3Plugin({ report, ...options })]
  const compiler = webpack.create(
    ['one', 'two'].map((name) => ({
      ...bundlerConfig(webpack, dir, { output: { path: join(dir, name) } }),
      name,
      entry: { [name]: `./${name}.js` },
      plugins,
    })),
  )
  try {
    await runOnce(compiler)
  } finally {
    await closed(compiler)
  }
  return JSON.parse(await readFile(report, 'utf8'))
}

const retention = { releases: 1, days: 0 }
const scripts = () => uploadedPaths(target.s3, target.bucket)

test('a release prunes once, after the last build of its location; a failure is a warning', async () => {
  await build('first', {})
  const [old] = scripts()
  await build('second', {})
  expect(scripts()).toHaveLength(3)

  // Nothing goes live.
  for (const options of [{ dryRun: true }, { upload: false }])
    await build('third', { ...options, retention }).catch(() => {})
  expect((await build('second', { retention })).map(({ status }) => status)).toEqual(['unchanged', 'unchanged'])
  expect(scripts()).toHaveLength(3)

  target.s3.server.intercept = ({ method }) => (method === 'DELETE' ? { status: 403, code: 'AccessDenied' } : undefined)
  const refused = await build('third', { retention })
  target.s3.server.intercept = undefined
  expect(refused[1]?.warnings.join()).toMatch(/^the release is live, but the prune after it failed: .*AccessDenied/s)
  expect(scripts()).toHaveLength(4)

  // One build alone has changed. It may be released first: the last one then writes the record of the files that are left.
  for (const [one, two] of [
    ['fourth', 'first'],
    ['fourth', 'second'],
  ] as const) {
    const [first, last] = await build(one, { retention }, two)
    expect([first?.status, last?.status]).toEqual([first?.uploaded.length ? 'live' : 'unchanged', 'live'])
    expect([first?.pruned, last?.pruned]).toEqual([undefined, expect.objectContaining({ release: expect.any(Number) })])
    expect(scripts()).toHaveLength(2)
  }
  expect(scripts()).not.toContain(old)
})

test('a build of the run that failed is not live: nothing of its last release is deleted', async () => {
  await build('before', {})
  const before = scripts()
  // Either build may come first.
  let first: string | undefined
  target.s3.server.intercept = ({ method, key }) => {
    const [, name] = (method === 'PUT' && /^static\/.*(one|two)/.exec(key ?? '')) || []
    first ??= name
    return name !== undefined && name === first ? { status: 403, code: 'AccessDenied' } : undefined
  }
  const results = await build('after', { retention, onError: 'warn' }, 'after')
  target.s3.server.intercept = undefined
  expect(results.map(({ status, pruned }) => [status, pruned])).toEqual([
    ['failed', undefined],
    ['live', undefined],
  ])
  expect(scripts()).toEqual(expect.arrayContaining(before))
})

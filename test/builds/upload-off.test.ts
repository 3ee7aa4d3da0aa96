import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { runCommand } from '../../fixtures/build/command.js'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  listeningLogger,
  makeApp,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { uploadedPaths } from '../../fixtures/build/site.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// Builds whose files are uploaded later.

const target = deployTarget()

test.each(bundlers)(
  '%s: all configurations of an array that share a folder stand in its file',
  async (_name, bundler) => {
    const dir = await makeApp({
      'src/a.js': 'document.title = "a"',
      'src/b.js': 'document.title = "b"',
      'dist/old.js': '',
    })
    const config = (entry: string) =>
      bundlerConfig(bundler, dir, {
        entry: { [entry]: `./src/${entry}.js` },
        plugins: [new StaticS3Plugin({ upload: false })],
      })
    const compiler = bundler.create([config('a'), config('b')])
    await runOnce(compiler)
    await closed(compiler)
    expect(target.s3.server.requests).toEqual([])
    const { builds } = JSON.parse(await readFile(join(dir, 'dist/.static-s3.json'), 'utf8'))
    expect(builds.map((facts: { emittedOnly: boolean }) => facts.emittedOnly)).toEqual([true, true])
    const deployed = await runCommand(dir, ['deploy', 'dist', '--json'], deployEnv(target.s3, target.bucket))
    expect(deployed.code, deployed.stderr).toBe(0)
    const named = builds.flatMap(({ fingerprinted }: { fingerprinted: object }) => Object.keys(fingerprinted))
    expect(named).toHaveLength(2)
    expect(uploadedPaths(target.s3, target.bucket)).toEqual(named.sort())
    expect(JSON.parse(deployed.stdout)).toMatchObject({ release: 1, uploaded: named })
  },
)

/** Builds a page by Vite, without upload. */
async function buildPage(body: string, more: Record<string, string> = {}) {
  const dir = await makeApp({ 'index.html': `<!doctype html>${body}`, 'public/a.js': 'a()', ...more })
  const { said, customLogger } = listeningLogger()
  const build = viteBuild('vite', dir, {
    logLevel: 'info',
    customLogger,
    envDir: dir,
    plugins: [staticS3({ upload: false, include: ['**', '.static-s3.json'] })],
  })
  const error = await build.then(
    () => undefined,
    (thrown: Error) => thrown.message,
  )
  const files = await readTree(join(dir, 'dist'))
  return { dir, error, said: said.join('\n'), isKept: files.has('.static-s3.json') }
}

test('Vite: the checks that need no bucket run in the build, and a failed one leaves no file', async () => {
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  const secret = await buildPage('<p>s3cr3t-v4lu3-0f-th3-t0k3n', { '.env': 'API_TOKEN=s3cr3t-v4lu3-0f-th3-t0k3n' })
  expect(secret.error).toMatch(/index\.html contains the value of API_TOKEN/)
  const wrong = await buildPage(`<script src="${target.publicUrl}a.js" integrity="sha256-${'A'.repeat(43)}="></script>`)
  expect(wrong.error).toMatch(/index\.html: the integrity of \S+a\.js is sha256-A+=, but the file has/)
  for (const { isKept } of [secret, wrong]) expect(isKept).toBe(false)

  // The bucket may hold this file.
  const missing = await buildPage(`<script src="${target.publicUrl}gone.js"></script>`)
  expect(missing).toMatchObject({ error: undefined, isKept: true })
  expect(missing.said).toMatch(/index\.html: \S+gone\.js names no file/)
  expect(target.s3.server.requests).toEqual([])

  const words = [
    'deploy',
    'dist',
    '--json',
    '--allow-missing',
    'gone.js',
    '--include',
    '**',
    '--include',
    '.static-s3.json',
  ]
  const deployed = await runCommand(missing.dir, words, deployEnv(target.s3, target.bucket))
  expect(deployed.code, deployed.stderr).toBe(0)
  expect(JSON.parse(deployed.stdout)).toMatchObject({ uploaded: ['a.js', 'index.html'], leftOut: [] })
  expect(uploadedPaths(target.s3, target.bucket)).toEqual(['a.js', 'index.html'])
})

test('a build’s own deploy writes its results, and a failure to do so is only a warning', async () => {
  const dir = await makeApp({ 'index.html': '<!doctype html><p>hello</p>' })
  const { said, customLogger } = listeningLogger()
  const report = join(dir, 'deploy.json')
  vi.stubEnv('GITHUB_STEP_SUMMARY', join(dir, 'nowhere/summary.md'))
  await viteBuild('vite', dir, { logLevel: 'info', customLogger, plugins: [staticS3({ report })] })
  expect(JSON.parse(await readFile(report, 'utf8'))).toMatchObject({
    status: 'live',
    release: 1,
    publicUrl: target.publicUrl,
  })
  expect(said.join('\n')).toMatch(/the results could not be written to \S+summary\.md \(ENOENT\)/)
})

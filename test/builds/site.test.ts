import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'vite'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { staticS3 as astro } from '../../src/astro.js'
import { staticS3 as docusaurus } from '../../src/docusaurus.js'
import { Site } from '../../src/frameworks/site.js'
import { storybookIsWritten } from '../../src/vite/frameworks/storybook.js'

// `npm run test:frameworks` builds real apps. These are the cases that need none.

const options = { enabled: true, bucket: 'my-bucket', upload: false, customDomain: 'cdn.example.com' }

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})
afterAll(removeFolders)

const log = () => ({ info: vi.fn(), warn: vi.fn() })

describe('Astro', () => {
  const files = { '_worker.js/index.js': 'server', 'server/index.html': 'page', '_astro/a.BZwFXJg4.js': '1' }

  test.each([
    ['an adapter’s server among the files for browsers', { buildOutput: 'server' }, '_worker.js/', ['_worker.js']],
    ['a static site with a page named like the server’s folder', { buildOutput: 'static' }, 'server/', []],
    ['Astro 4, which knows the output by its setting', {}, '_worker.js/', ['_worker.js']],
  ])('%s', async (_case, known, server, notOurs) => {
    vi.stubEnv('NODE_ENV', 'production')
    const root = await makeFolder({})
    const dist = await makeFolder(files)
    const config = {
      root: pathToFileURL(`${root}/`),
      base: '/',
      output: 'server',
      build: { assets: '_astro', server: new URL(server, pathToFileURL(`${dist}/`)) },
      vite: {},
    }
    const updates: { integrations?: ReturnType<typeof astro>[] }[] = []
    const updateConfig = (update: object) => void updates.push(update)
    const { hooks } = astro(options)
    await hooks['astro:config:setup']?.({ command: 'build', config, updateConfig, logger: log() })
    const last = updates.flatMap(({ integrations = [] }) => integrations)[0]?.hooks
    last?.['astro:config:done']?.({ config, ...known })
    await last?.['astro:build:done']?.({ dir: pathToFileURL(`${dist}/`) })
    const { builds } = JSON.parse(await readFile(join(dist, '.static-s3.json'), 'utf8'))
    expect(builds[0].notOurs).toEqual(notOurs)
    expect(Object.keys(builds[0].fingerprinted)).toEqual(['_astro/a.BZwFXJg4.js'])
  })
})

describe('a site’s build', () => {
  test('says once that it is off, to a log that has the name', async () => {
    const logger = log()
    const site = new Site({ ...options, enabled: false })
    expect(await site.begin({ mode: 'production', envDir: false, logger })).toBeUndefined()
    expect(logger.info.mock.calls).toEqual([[expect.stringMatching(/^is off: /)]])
  })

  const scripts = async (customDomain: string) => {
    const root = await makeFolder({
      'main.js': "import('./lazy.js')",
      'lazy.js': "import './lazy.css'; console.log(1)",
      'lazy.css': 'b { color: red }',
    })
    const site = new Site({ ...options, customDomain })
    const settings = await site.begin({ mode: 'production', envDir: false, logger: log() })
    const written = await build({
      ...{ root, configFile: false, logLevel: 'silent', plugins: [site.vitePlugin] },
      build: { write: false, rollupOptions: { input: join(root, 'main.js') } },
      experimental: { renderBuiltUrl: (file) => settings?.publicUrl + file },
    })
    site.stop()
    return [written].flat().flatMap((each) => ('output' in each ? each.output : []))
  }

  test('has no script of one name and two contents, although frameworks add the domain late', async () => {
    vi.stubEnv('NODE_ENV', 'production')
    const [one, other] = [await scripts('one.example.com'), await scripts('other.example.com')]
    const main = one.find(({ fileName }) => fileName.includes('main')) as { fileName: string; code: string }
    expect(main.code).toContain('one.example.com')
    expect(other.map(({ fileName }) => fileName)).not.toContain(main.fileName)
  })
})

describe('Storybook, which has no hook for its last file', () => {
  test('a complete index ends the wait; without one, the build fails', async () => {
    await storybookIsWritten(await makeFolder({ 'index.json': '{"v":5}' }), 5000)
    const cut = storybookIsWritten(await makeFolder({ 'index.json': '{"v":' }), 500)
    await expect(cut).rejects.toThrow(/index\.json: Storybook has not written all of its files within 0\.5 seconds/)
  })
})

describe('Docusaurus', () => {
  const finish = async (enabled: boolean) => {
    vi.stubEnv('NODE_ENV', 'production')
    vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    const siteDir = await makeFolder({})
    const i18n = { currentLocale: 'en', localeConfigs: { en: { baseUrl: '/' } } }
    const context = {
      siteDir,
      outDir: join(siteDir, 'build'),
      baseUrl: '/',
      siteConfig: { staticDirectories: [] },
      i18n,
    }
    const plugin = await docusaurus(context, { ...options, enabled })
    return plugin.postBuild({ siteMetadata: { docusaurusVersion: '9.0.0', pluginVersions: {} } })
  }

  test('a build whose scripts static-s3 has not seen fails, unless it is off', async () => {
    await expect(finish(true)).rejects.toThrow('static-s3: this version of Docusaurus builds its scripts without')
    await finish(false)
  })
})

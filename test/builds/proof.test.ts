import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { packageFile } from '../../fixtures/build/index.js'
import { type Options, staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// A release proves itself: a deploy with a URL that names no file ends before it uploads anything.

const target = deployTarget()

const uploaded = () => [...target.s3.server.objects(target.bucket).keys()]

/** The error of a build, and what it printed. */
async function outcomeOf(build: (log: string[]) => Promise<unknown>): Promise<{ error: string; log: string[] }> {
  const log: string[] = []
  const error = await build(log).then(
    () => '',
    ({ message }: Error) => message,
  )
  return { error, log }
}

describe('Vite', () => {
  const sources = {
    'index.html':
      '<!doctype html><img src="/logo.svg"><a href="/x.pdf">x</a><script type="module" src="/main.js"></script>',
    'main.js': `import './style.css'
      import { createApp } from 'vue'
      import { createRoot } from 'react-dom/client'
      console.log(createApp, createRoot, import.meta.env.STATIC_URL + 'photo.png', import.meta.env.STATIC_URL)`,
    'style.css': 'body { background: url(/back.svg) }',
    'public/logo.svg': '<svg/>',
    'public/back.svg': '<svg/>',
    'public/x.pdf': 'pdf',
    'public/photo.png': 'png',
  }
  const build = async (files: Record<string, string>, copyPublicDir: boolean, options: Options = {}) => {
    const dir = await makeApp(files)
    return outcomeOf((log) => {
      const write = (message: string): void => {
        log.push(stripVTControlCharacters(message))
      }
      const customLogger = {
        info: write,
        warn: write,
        error: write,
        warnOnce: write,
        clearScreen() {},
        hasWarned: false,
      }
      const resolve = {
        alias: { vue: packageFile('vue/dist/vue.runtime.esm-bundler.js'), 'react-dom': packageFile('react-dom') },
      }
      return viteBuild('vite', dir, {
        customLogger: { ...customLogger, hasErrorLogged: () => false },
        logLevel: 'info',
        resolve,
        plugins: [staticS3(options)],
        build: { copyPublicDir },
      })
    })
  }

  test('a whole release goes up, with one hint and no false alarm', async () => {
    const { error, log } = await build(sources, true)
    expect(error).toBe('')
    const ours = log.filter((line) => line.includes('static-s3 ') && !line.includes('✓'))
    expect(ours).toEqual([expect.stringContaining("/x.pdf in index.html: plain strings stay on the page's origin.")])
    expect(uploaded()).toContain('static/photo.png')
  })

  test('public files that were not copied are an error, and nothing is uploaded', async () => {
    expect((await build(sources, false)).error).toMatch(/build\.copyPublicDir is false.*back\.svg/)
    const plain = { ...sources, 'style.css': 'body { color: red }' }
    const { error } = await build(plain, false)
    expect(error).toContain('static-s3: nothing was uploaded')
    expect(error).toContain(`${target.publicUrl}photo.png names no file`)
    expect(error).not.toContain('logo.svg')
    expect(error).toContain('allowMissing: [')
    expect(uploaded()).toEqual([])
    expect((await build(plain, false, { allowMissing: '*.png' })).error).toBe('')
    expect((await build(sources, false, { allowMissing: ['back.svg', '*.png'] })).error).toBe('')
  })

  test('a dry run tells of a name in another Unicode form', async () => {
    const { 'public/photo.png': photo, ...others } = sources
    const files = {
      ...others,
      'main.js': "console.log(import.meta.env.STATIC_URL + 'caf\u00e9.png')",
      'public/cafe\u0301.png': photo,
    }
    const { error } = await build(files, true, { dryRun: true })
    expect(error).toContain('another Unicode form')
  })
})

describe.each(bundlers)('%s', (_name, bundler) => {
  const build = async (page: string, options: Options = {}) => {
    const dir = await makeApp({
      'src/index.js':
        "import photo from './photo.png'\nimport './style.css'\nconsole.log(photo, process.env.STATIC_URL + 'data.json')",
      'src/style.css': 'body { background: url(./photo.png) }',
      'src/photo.png': 'png '.repeat(5000),
      'copied/data.json': '{}',
    })
    const html = new bundler.html({ templateContent: page } as never)
    const copy = new bundler.copy({ patterns: ['copied'] })
    const compiler = bundler.create(
      bundlerConfig(bundler, dir, { plugins: [html, copy, new StaticS3Plugin(options) as never] }),
    )
    const outcome = await outcomeOf(() => runOnce(compiler))
    await closed(compiler)
    return outcome.error
  }

  test('a wrong integrity and a file that is left out are errors, and a whole release is none', async () => {
    const script = `<script src="${target.publicUrl}data.json" integrity="sha256-AAAA"></script>`
    expect(await build(`<!doctype html><head>${script}</head>`)).toContain(
      `the integrity of ${target.publicUrl}data.json is sha256-AAAA`,
    )
    expect(await build('<!doctype html><head></head>', { exclude: '*.png' })).toMatch(
      /photo\.\w+\.png, which is left out \(excluded\)/,
    )
    expect(uploaded()).toEqual([])
    expect(await build('<!doctype html><head></head>')).toBe('')
  })
})

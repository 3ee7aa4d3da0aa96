import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GenerateSW } from 'workbox-webpack-plugin'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
} from '../../fixtures/build/in-process.js'
import { readTree } from '../../fixtures/build/index.js'
import { type Options, staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// Files that the bundler named belong to the application, also where the name begins with a dot. Dotfiles of the user's stay home.

const target = deployTarget()

const uploaded = () =>
  [...target.s3.server.objects(target.bucket).keys()].flatMap((key) =>
    key.startsWith('static/') ? [key.slice(7)] : [],
  )
const hiddenOf = (paths: Iterable<string>) =>
  [...paths]
    .filter((path) => /(^|\/)\./.test(path))
    .map((path) => path.replace(/(?<=[-.])([\w-]{8}|[\da-f]{16,20})(?=\.(js|css|png)(\.map)?$)/, 'HASH'))
    .sort()

const sources = {
  'index.html': '<!doctype html><div id="app"></div><script type="module" src="/src/main.js"></script>',
  'src/main.js': `
import { add } from './.pnpm/add/index.js'
import photo from './.photo.png?url'
document.body.append(photo, add(1, 2))
import('./lazy.js')`,
  'src/lazy.js': `import { add } from './.pnpm/add/index.js'
export const three = add(1, 2)`,
  'src/.pnpm/add/index.js': `import './style.css'
export const add = (a, b) => a + b`,
  'src/.pnpm/add/style.css': 'body { color: #123456 }',
  'src/.photo.png': 'png '.repeat(2000),
  'public/.env.production': 'VITE_COLOR=blue',
  'public/.pnpm-public.js': 'public',
}

describe.each(['vite5', 'vite6', 'vite7', 'vite'] as const)('%s', (version) => {
  const build = async (names: object, options: Options = {}) => {
    const dir = await makeApp(sources)
    const copies = {
      name: 'copies',
      generateBundle(this: { emitFile(file: object): void }) {
        for (const fileName of ['.env', '.DS_Store', 'assets/.htaccess', '.eslintrc.js']) {
          this.emitFile({ type: 'asset', fileName, source: `of ${fileName}` })
        }
      },
    }
    await viteBuild(version, dir, {
      plugins: [copies, staticS3(options)],
      build: {
        manifest: true,
        ssrManifest: true,
        sourcemap: true,
        rollupOptions: { output: { ...names, manualChunks: (id) => (id.includes('.pnpm') ? '.pnpm' : undefined) } },
      },
    })
    return readTree(join(dir, 'dist'))
  }

  test('uploads the chunk, style and asset that it named itself, and points there', async () => {
    const files = await build({})
    expect(hiddenOf(uploaded())).toEqual(['assets/.photo-HASH.png', 'assets/.pnpm-HASH.css', 'assets/.pnpm-HASH.js'])
    expect(hiddenOf(files.keys())).toEqual(
      expect.arrayContaining([
        '.DS_Store',
        '.env',
        '.env.production',
        '.vite/manifest.json',
        '.vite/ssr-manifest.json',
      ]),
    )
    const page = files.get('index.html')?.toString() ?? ''
    const [, style] = /href="([^"]+\/\.pnpm-[\w-]+\.css)"/.exec(page) ?? []
    expect(style?.replace(target.publicUrl, '')).toMatch(/^assets\/\.pnpm/)
    const main = [...files].find(([path]) => /^assets\/index-.*\.js$/.test(path))?.[1].toString()
    expect(main).toContain(`${target.publicUrl}assets/.photo-`)
    const put = target.s3.server.requests.find(
      ({ method, key }) => method === 'PUT' && /\.pnpm-.*\.js$/.test(key ?? ''),
    )
    expect(put?.headers['cache-control']).toContain('immutable')
  })

  test('without hashes, script and style go up with the page that asks for them', async () => {
    const files = await build({
      entryFileNames: '[name].js',
      chunkFileNames: '[name].js',
      assetFileNames: '[name][extname]',
    })
    expect(hiddenOf(uploaded())).toEqual(['.pnpm.css', '.pnpm.js'])
    const page = files.get('index.html')?.toString() ?? ''
    expect(page).toContain(`href="${target.publicUrl}.pnpm.css"`)
    // What stays home is asked of the page's origin.
    expect(files.get('index.js')?.toString()).toMatch(/["'`]\/\.photo\.png/)
  })

  test('exclude leaves them out, and the page asks its own origin', async () => {
    const files = await build({}, { exclude: ['.pnpm-*.css'] })
    expect(hiddenOf(uploaded())).not.toContain('assets/.pnpm-HASH.css')
    expect(files.get('index.html')?.toString()).toMatch(/href="\/assets\/\.pnpm-[\w-]+\.css"/)
  })

  test('source maps that are public are there for them, too', async () => {
    await build({}, { sourceMaps: 'public' })
    expect(hiddenOf(uploaded())).toContain('assets/.pnpm-HASH.js.map')
  })
})

describe.each(bundlers)('%s', (_name, bundler) => {
  test.each([
    ['[name].[contenthash]', '.pnpm.HASH'],
    ['[name]', '.pnpm'],
  ])('uploads the scripts and styles that it named %s, and nothing that was copied', async (name, made) => {
    const dir = await makeApp({
      ...sources,
      'src/index.js': `import { add } from './.pnpm/add/index.js'\nimport './main.css'\ndocument.body.append(add(1, 2))`,
      'src/main.css': 'p { color: red }',
      'public/.well-known/security.txt': 'Contact',
      'public/.eslintrc.js': 'module.exports = {}',
      'public/.DS_Store': 'x',
    })
    const config = bundlerConfig(bundler, dir, {
      output: { filename: `${name}.js` },
      plugins: [
        new bundler.html(),
        new bundler.copy({ patterns: [{ from: 'public', globOptions: { dot: true } }] }),
        new GenerateSW({ swDest: 'sw.js', mode: 'development' }),
        new StaticS3Plugin(),
      ],
      optimization: {
        minimize: false,
        splitChunks: {
          cacheGroups: { pnpm: { test: /\.pnpm/, name: '.pnpm', chunks: 'all', enforce: true, minSize: 0 } },
        },
      },
    })
    const compiler = bundler.create({
      ...config,
      plugins: [new bundler.css({ filename: `${name}.css` }), ...(config.plugins ?? []).slice(1)],
    })
    await runOnce(compiler)
    await closed(compiler)
    expect(hiddenOf(uploaded())).toEqual([`${made}.css`, `${made}.js`, '.well-known/security.txt'])
    expect(await readFile(join(dir, 'dist/index.html'), 'utf8')).toContain(`src="${target.publicUrl}.pnpm.`)
    expect(await readFile(join(dir, 'dist/.env.production'), 'utf8')).toContain('blue')
    const precached = (await readFile(join(dir, 'dist/sw.js'), 'utf8'))
      .match(/"[^"]*\/\.[^"]*"/g)
      ?.map((url) => JSON.parse(url))
    expect(precached).toEqual(
      expect.arrayContaining([expect.stringContaining(`${target.publicUrl}.pnpm.`), './.eslintrc.js']),
    )
    expect(precached?.filter((url: string) => url.startsWith('./.pnpm.'))).toEqual([])
  })
})

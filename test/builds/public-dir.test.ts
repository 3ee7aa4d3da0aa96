import type { Plugin } from 'vite'
import { describe, expect, test, vi } from 'vitest'
import { deployTarget, makeApp, viteBuild } from '../../fixtures/build/in-process.js'
import { readTree, type ViteVersion } from '../../fixtures/build/index.js'
import { siteObjects, uploadedPaths, writes } from '../../fixtures/build/site.js'
import { staticS3 } from '../../src/vite.js'

// Public files that Vite does not copy, because something else serves them.

const target = deployTarget()

const app = {
  'index.html': '<!doctype html><img src="/logo.svg"><script type="module" src="/src/main.js"></script>',
  'src/main.js': `import logo from '/logo.svg'
document.title = logo`,
  'public/logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h8v8H0z"/></svg>',
}
const withStyle = {
  ...app,
  'src/main.js': `${app['src/main.js']}
import './style.css'`,
  'src/style.css': 'body { background: url(/logo.svg) }',
}
const build = (version: ViteVersion, dir: string, { base = '/', plugin = staticS3(), plugins = [] as Plugin[] } = {}) =>
  viteBuild(version, dir, { base, plugins: [...plugins, plugin], build: { copyPublicDir: false, target: 'esnext' } })

describe.each(['vite5', 'vite'] as const)('build.copyPublicDir: false with %s', (version) => {
  test.each(['/app/', './'])('pages and scripts get the files from the page’s origin: base %s', async (base) => {
    const dir = await makeApp(app)
    await build(version, dir, { base })
    const files = [...(await readTree(`${dir}/dist`))].map(([path, bytes]) => [path, bytes.toString()] as const)
    expect(files.find(([path]) => path === 'index.html')?.[1]).toContain(`<img src="${base}logo.svg">`)
    const script = files.find(([path]) => path.endsWith('.js'))?.[1]
    expect(script).toMatch(
      base === './' ? /new URL\([`"']logo\.svg[`"'],\s*self\.document/ : /[`"']\/app\/logo\.svg[`"']/,
    )
    for (const [path, text] of files) expect(text, path).not.toContain(`${target.publicUrl}logo`)
    expect(uploadedPaths(target.s3, target.bucket)).not.toContain('logo.svg')
  })

  test.each([
    ['a stylesheet', withStyle, () => staticS3()],
    ['any page, with rewrite: base', app, () => staticS3({ rewrite: 'base' })],
  ])('stops before the upload if the bucket would need them: %s', async (_what, files, plugin) => {
    await expect(build(version, await makeApp(files), { plugin: plugin() })).rejects.toThrow(
      /build\.copyPublicDir is false.*logo\.svg/,
    )
    expect(writes(target.s3)).toEqual([])
  })

  test('a file that another plugin copies is in the bucket', async () => {
    const copying: Plugin = {
      name: 'copying',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'logo.svg', source: app['public/logo.svg'] })
      },
    }
    await build(version, await makeApp(withStyle), { plugins: [copying] })
    expect(siteObjects(target.s3, target.bucket).has('static/logo.svg')).toBe(true)
  })
})

test.each(['warn', 'error'] as const)(
  'logLevel %s, as frameworks set it, does not hide the summary',
  async (logLevel) => {
    const said: string[] = []
    for (const method of ['log', 'warn', 'error'] as const) {
      vi.spyOn(console, method).mockImplementation((text) => said.push(String(text)))
    }
    await viteBuild('vite', await makeApp(app), { plugins: [staticS3()], logLevel })
    vi.restoreAllMocks()
    expect(said.join('\n')).toMatch(/release 1 live/)
  },
)

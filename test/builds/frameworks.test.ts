import { describe, expect, test } from 'vitest'
import { pointTo } from '../../src/frameworks/next.js'
import { frameworkOwning, type inOtherLists, pointFramework, refuseOtherEntry } from '../../src/vite/frameworks.js'
import { staticS3 } from '../../src/vite.js'

const ours = () => undefined
const theirs = () => undefined
const url = 'https://cdn.example.com/static/'

const owning = (names: string[], renderBuiltUrl: (() => undefined) | undefined) => {
  const config = { plugins: names.map((name) => ({ name })), experimental: { renderBuiltUrl } }
  return frameworkOwning(config as never, (render) => render === ours, url)?.warnings
}

const framework = (plugin: string) => ({
  plugins: [{ name: plugin }],
  experimental: {},
  builder: { sharedConfigBuild: true },
})

const left = (name: string, rest: string) => [`URLs are left to ${name}, files are uploaded: ${rest}`]
const later = 'it writes a part of its files after Vite is done, and those are not uploaded: keep its URLs as they are'

describe('who decides about built URLs', () => {
  test('a plugin with a renderBuiltUrl of its own', () => {
    const remedy = `let it answer with ${url} and the file's name`
    expect(owning(['vite:css'], theirs)).toEqual(left('experimental.renderBuiltUrl', remedy))
  })

  test.each([
    [
      'react-router',
      'React Router',
      `${later}, or set future: { v8_viteEnvironmentApi: true } in react-router.config.ts`,
    ],
  ])('%s, which finishes the site later, always', (plugin, name, remedy) => {
    for (const hook of [ours, theirs, undefined]) expect(owning(['vite:css', plugin], hook)).toEqual(left(name, remedy))
  })

  test('React Router, in a build of several environments: nobody', () => {
    const router = { publicPath: '/' }
    const config = { ...framework('react-router'), __reactRouterPluginContext: router }
    expect(frameworkOwning(config as never, () => false, url)).toBeUndefined()
    pointFramework(config as never, { rewrite: 'urls', publicUrl: url })
    expect(router.publicPath).toBe(url)
    expect(frameworkOwning(framework('react-router') as never, () => false, url)?.warnings).toEqual(
      left('React Router', 'static-s3 does not know this mode: keep its URLs as they are'),
    )
  })

  test('nobody, where ours is the one that is used, or none', () => {
    for (const hook of [ours, undefined]) expect(owning(['vite:css'], hook)).toBeUndefined()
  })

  test.each([
    ['astro:build', 'Astro, which writes files after Vite: use static-s3/astro'],
    ['@astrojs/vite-plugin-astro', 'Astro, which writes files after Vite: use static-s3/astro'],
    ['nuxt:environments', "Nuxt, which writes files after Vite: use static-s3/nuxt, with modules: ['static-s3/nuxt']"],
    ['vite-plugin-sveltekit-setup', 'SvelteKit, which writes files after Vite: use static-s3/sveltekit'],
  ])('%s has an entry of its own', (name, message) => {
    const refuse = () => refuseOtherEntry({ plugins: [{ name: 'vite:css' }, { name }] })
    expect(refuse).toThrow(`static-s3/vite is not for ${message}`)
  })

  test('in the lists of Astro and Rsbuild, the plugin names their entries', () => {
    const { hooks, setup } = staticS3() as unknown as typeof inOtherLists
    expect(hooks['astro:config:setup']).toThrow('use static-s3/astro, with integrations: [staticS3()]')
    expect(setup).toThrow('use static-s3/rsbuild')
  })

  test('a URL option of Next that leads elsewhere is refused, and crossOrigin is set only if the user did not', () => {
    expect(() => pointTo({ assetPrefix: '/cdn' }, url)).toThrow('assetPrefix is "/cdn": remove it')
    const assetPrefix = 'https://cdn.example.com/static'
    expect(pointTo({ assetPrefix }, url)).toMatchObject({ assetPrefix, crossOrigin: 'anonymous' })
    expect(pointTo({ crossOrigin: 'use-credentials' }, url).crossOrigin).toBe('use-credentials')
  })

  test('a plugin that only has such a word in its name is nobody', () => {
    expect(owning(['generouted/react-router'], ours)).toBeUndefined()
    expect(frameworkOwning({ plugins: [{}], experimental: {} } as never, () => false, url)).toBeUndefined()
  })
})

describe('the client’s files in a module of the server', () => {
  const files = {
    base: '/app/',
    publicUrl: url,
    paths: new Set(['assets/a-1.js', 'assets/page.css', 'assets/p.png', 'assets/left-out.js', 'x.js.map']),
    urlInBucket: (path: string) => (/left-out|map/.test(path) ? undefined : url + path),
  }
  const pointed = (plugin: string, code: string) =>
    pointFramework(framework(plugin) as never, { rewrite: 'urls', publicUrl: url })?.serverManifest?.point(code, files)

  test('TanStack Start: URLs of built files, also in stylesheets', () => {
    const code = `({preloads:["/app/assets/a-1.js","/app/assets/left-out.js"],path:"/app/about",css:"b{background:url(/app/assets/p.png)}"})`
    const expected = `({preloads:["${url}assets/a-1.js","/app/assets/left-out.js"],path:"/app/about",css:"b{background:url(${url}assets/p.png)}"})`
    expect(pointed('tanstack-start-core:config', code)).toBe(expected)
    expect(pointed('tanstack-start-core:config', '({preloads:["/app/other.js"]})')).toBeUndefined()
  })

  test('SolidStart: joined names', () => {
    const code = pointed('solid-start:config', `import { join } from "pathe";return join('/app/', file)`)
    const join = new Function('file', code as string)
    expect(join('assets/a-1.js')).toBe(`${url}assets/a-1.js`)
    expect(join('assets/left-out.js')).toBe('/app/assets/left-out.js')
    expect(pointed('solid-start:config', 'import { joinURL } from "ufo"')).toBeUndefined()
  })

  test.each(['tanstack-start-core:config', 'solid-start:config'])('%s needs its base', (plugin) => {
    const point = () => pointFramework(framework(plugin) as never, { rewrite: 'base', publicUrl: url })
    expect(point).toThrow(/rewrite is "base", but .* takes the path of its pages from Vite's base: use rewrite: 'urls'/)
  })
})

import { describe, expect, test } from 'vitest'
import { frameworkOwning, refuseOtherEntry } from '../../src/vite/frameworks.js'

const ours = () => undefined
const theirs = () => undefined
const url = 'https://cdn.example.com/static/'

const owning = (names: string[], renderBuiltUrl: (() => undefined) | undefined, define = {}) => {
  const config = { plugins: names.map((name) => ({ name })), experimental: { renderBuiltUrl }, define }
  return frameworkOwning(config as never, (render) => render === ours, url)?.warnings
}

const left = (name: string, rest: string) => [`URLs are left to ${name}, files are uploaded: ${rest}`]
const later = 'it writes a part of its files after Vite is done, and those are not uploaded: keep its URLs as they are'

describe('who decides about built URLs', () => {
  test.each([
    [
      ['vite:css', 'vite-plugin-sveltekit-guard'],
      left('SvelteKit', 'set paths.assets to https://cdn.example.com/static'),
    ],
    [['vite:css'], left('experimental.renderBuiltUrl', `let it answer with ${url} and the file's name`)],
  ])('%s with a renderBuiltUrl of its own', (names, warnings) => expect(owning(names, theirs)).toEqual(warnings))

  test('SvelteKit where it is set already: nothing to say', () => {
    const define = { __SVELTEKIT_PATHS_ASSETS__: JSON.stringify('https://cdn.example.com/static') }
    expect(owning(['vite-plugin-sveltekit-guard'], theirs, define)).toEqual([])
  })

  test.each([
    ['nuxt:environments', 'Nuxt'],
    ['react-router', 'React Router'],
    ['react-router:dot-server', 'React Router'],
  ])('%s, which finishes the site later, always', (plugin, name) => {
    for (const hook of [ours, theirs, undefined]) expect(owning(['vite:css', plugin], hook)).toEqual(left(name, later))
  })

  test('nobody, where ours is the one that is used, or none', () => {
    for (const hook of [ours, undefined])
      expect(owning(['vite:css', 'vite-plugin-sveltekit-guard'], hook)).toBeUndefined()
  })

  test.each([['astro:build'], ['@astrojs/vite-plugin-astro']])('%s has an entry of its own', (name) => {
    const refuse = () => refuseOtherEntry({ plugins: [{ name: 'vite:css' }, { name }] })
    expect(refuse).toThrow('static-s3/vite is not for Astro, which writes files after Vite: import static-s3/astro')
  })

  test('a plugin that only has such a word in its name is nobody', () => {
    expect(owning(['generouted/react-router'], ours)).toBeUndefined()
    expect(frameworkOwning({ plugins: [{}], experimental: {} } as never, () => false, url)).toBeUndefined()
  })
})

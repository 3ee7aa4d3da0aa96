import { describe, expect, test } from 'vitest'
import { frameworkOwning } from '../src/vite/frameworks.js'

const ours = () => undefined
const theirs = () => undefined
const url = 'https://cdn.example.com/static/'

const owning = (names: string[], renderBuiltUrl: (() => undefined) | undefined, rewrite: 'urls' | 'base' = 'urls') => {
  const plugins = names.map((name) => ({ name }))
  const owner = frameworkOwning({ plugins, experimental: { renderBuiltUrl } } as never, ours, rewrite)
  return owner && `${owner.name}: ${owner.remedy(url)}`
}

describe('who decides about built URLs', () => {
  test.each([
    [['vite:css', 'vite-plugin-sveltekit-guard'], 'SvelteKit: set kit.paths.assets to https://cdn.example.com/static'],
    [['nuxt:environments'], 'Nuxt: set app.cdnURL to https://cdn.example.com/static/'],
    [['astro:build'], 'Astro: set build.assetsPrefix to https://cdn.example.com/static'],
    [['vite:css'], `experimental.renderBuiltUrl: let it answer with ${url} and the file's name`],
  ])('%s with a renderBuiltUrl of its own', (names, says) => expect(owning(names, theirs)).toBe(says))

  test('nobody, where ours is the one that is used, or none', () => {
    expect(owning(['vite:css', 'astro:build'], ours)).toBeUndefined()
    expect(owning(['vite:css', 'astro:build'], undefined)).toBeUndefined()
  })

  test('React Router looks at nothing but base, with or without a renderBuiltUrl', () => {
    expect(owning(['react-router'], ours)).toBe("React Router: it takes Vite's base: set rewrite: 'base'")
    expect(owning(['react-router:dot-server'], ours)).toMatch(/^React Router/)
    expect(owning(['react-router'], ours, 'base')).toBeUndefined()
  })

  test('a plugin that only has such a word in its name is nobody', () => {
    expect(owning(['generouted/react-router'], ours)).toBeUndefined()
    expect(frameworkOwning({ plugins: [{}], experimental: {} } as never, ours, 'urls')).toBeUndefined()
  })

  test("somebody's own renderBuiltUrl counts with rewrite: 'base' too, where ours is for workers", () => {
    expect(owning(['vite:css'], theirs, 'base')).toMatch(/^experimental\.renderBuiltUrl/)
  })
})

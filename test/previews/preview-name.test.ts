import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyCharacter, cases } from '../../fixtures/fuzz/chance.js'
import { previewName } from '../../src/previews/preview-name.js'
import { headOf, matcherOf, patternOf, placeholdersIn } from '../../src/previews/template.js'

describe("a preview's name", () => {
  it.each<[branch: string, name: string]>([
    ['main', 'main'],
    ['feature-x', 'feature-x'],
    ['feature/x', 'feature--x'],
    ['dependabot/npm_and_yarn/vite-8.4.0', 'dependabot--npm_and_yarn--vite-8.4.0'],
    ['releases', 'releases'],
    ['feature--x', 'feature--x-'],
    ['feature/-x', 'feature---x'],
    ['feature-/x', 'feature---x-'],
    ['feature_x', 'feature_x'],
    ['Feature/ABC-12', 'feature--abc-12-'],
    ['a.b', 'a.b'],
    ['a.', 'a-'],
    ['-a', 'a-'],
    ['.static-s3', 'static-s3-'],
    ['..', ''],
    ['.', ''],
    ['', ''],
    ['日本語', ''],
    ['fix größe', 'fix-gr-e-'],
    ['octocat/site:main', 'octocat--site-main-'],
    ['a'.repeat(63), 'a'.repeat(63)],
    ['a'.repeat(64), `${'a'.repeat(54)}-`],
    [`${'a'.repeat(50)}/${'b'.repeat(50)}`, `${'a'.repeat(50)}--bb-`],
    ['feature-0123abcd', 'feature-0123abcd-'],
    ['0123abcd', '0123abcd-'],
  ])('of %j is %j, with a hash if a branch could share it', (branch, name) => {
    const hasHash = name === '' || name.endsWith('-')
    expect(previewName(branch)).toMatch(hasHash ? new RegExp(`^${name}[0-9a-f]{8}$`) : new RegExp(`^${name}$`))
  })

  /** Names that resemble each other. */
  const near = fc
    .array(fc.constantFrom('a', 'A', 'b', '-', '--', '/', '.', '_', ' ', 'é', '0123abcd', 'x'.repeat(40)), {
      maxLength: 6,
    })
    .map((parts) => parts.join(''))
  const branch = fc.oneof(near, fc.string({ unit: anyCharacter, maxLength: 90 }))

  it('is a folder of at most 63 safe characters, and fits its template', () => {
    fc.assert(
      fc.property(branch, (each) => {
        const name = previewName(each)
        expect(name).toMatch(/^[a-z0-9_]([a-z0-9_.-]{0,61}[a-z0-9_])?$/)
        expect(matcherOf('previews/[branch]').test(`previews/${name}`)).toBe(true)
      }),
      cases(5000),
    )
  })

  it('belongs to one branch only', () => {
    const names = new Map<string, string>()
    fc.assert(
      fc.property(branch, (each) => {
        const name = previewName(each)
        expect(names.get(name) ?? each).toBe(each)
        names.set(name, each)
        // A branch may have any preview's name as its own.
        if (each !== name) expect(previewName(name)).not.toBe(name)
      }),
      cases(5000),
    )
  })
})

describe('a template', () => {
  it.each<[template: string, pattern: string, head: string]>([
    ['previews/[branch]', 'previews/*', 'previews/'],
    ['app-[branch]/[commit]/x', 'app-*/*/x', 'app-'],
    ['[branch]', '*', ''],
  ])('%s', (template, pattern, head) => {
    expect([patternOf(template), headOf(template)]).toEqual([pattern, head])
  })

  it.each<[template: string, location: string, matches: boolean]>([
    ['previews/[branch]', 'previews/main', true],
    ['previews/[branch]', 'previews', false],
    ['previews/[branch]', 'previews/', false],
    ['previews/[branch]', 'previews/main/x', false],
    ['previews/[branch]', 'previewsx/main', false],
    ['previews/[branch]', 'x/previews/main', false],
    ['previews/[branch]', 'previews/Main', false],
    ['a.b/[branch]', 'axb/main', false],
    ['a.b/[branch]', 'a.b/main', true],
    ['p/[branch]/[commit]', 'p/main/0123456789ab', true],
    ['p/[branch]/[commit]', 'p/main/main', false],
    ['p/[branch]/[commit]', 'p/main', false],
  ])('%s and %s: %s', (template, location, matches) => {
    expect(matcherOf(template).test(location)).toBe(matches)
  })

  it('has names in brackets', () => {
    expect(placeholdersIn('a/[branch]-[x]/]b[/[]')).toEqual(['branch', 'x', ''])
  })
})

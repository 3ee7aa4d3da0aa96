import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anyText, cases, inTime, oddText } from '../../fixtures/fuzz/chance.js'
import { settingsOrProblems } from '../../fixtures/fuzz/settings-or-problems.js'
import { classify } from '../../src/files/classify.js'
import { readEnvironment, type Variables } from '../../src/settings/environment.js'
import type { Options } from '../../src/settings/options.js'

let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('settings', () => {
  const variables = [
    ...['USE_S3', 'AWS_STORAGE_BUCKET_NAME', 'AWS_LOCATION', 'AWS_S3_REGION_NAME', 'AWS_REGION', 'AWS_DEFAULT_REGION'],
    ...[
      'AWS_S3_CUSTOM_DOMAIN',
      'AWS_S3_URL_PROTOCOL',
      'AWS_S3_ENDPOINT_URL',
      'AWS_ENDPOINT_URL_S3',
      'AWS_ENDPOINT_URL',
    ],
    ...['AWS_S3_ADDRESSING_STYLE', 'AWS_S3_OBJECT_PARAMETERS', 'AWS_DEFAULT_ACL', 'AWS_S3_FILE_OVERWRITE'],
    ...['AWS_S3_ACCESS_KEY_ID', 'AWS_S3_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    ...[
      'AWS_SESSION_TOKEN',
      'AWS_SECURITY_TOKEN',
      'AWS_S3_SESSION_PROFILE',
      'AWS_PROFILE',
      'AWS_WEB_IDENTITY_TOKEN_FILE',
    ],
    ...[
      'AWS_QUERYSTRING_AUTH',
      'AWS_S3_SIGNATURE_VERSION',
      'AWS_S3_VERIFY',
      'AWS_IS_GZIPPED',
      'GZIP_CONTENT_TYPES',
      'API_TOKEN',
    ],
    ...['__proto__'],
  ]
  const plausible = [
    ...['1', 'off', 'None', '', ' ', 'my-bucket', 'My_Bucket', 'a.b', 'arn:aws:s3:::x', 'static', '/', 'a/../b'],
    ...['%2e', 'auto'],
    ...['us-east-1', 'cdn.example.com', 'https://cdn.example.com/a//', '[::1]:9000', 'localhost', 'http:', 'https'],
    ...['path'],
    ...['https://s3.example.com', 'http://[::1]:9000/s3/', 'https://user:secret@host', 'http://%', 'https://a b'],
    ...['HTTPS://X'],
    ...['{"Metadata":{"a":"b"}}', '{"__proto__":{"ACL":1}}', '{"Expires":"never"}', '[]', 'null', '{"a":'],
    ...['public-read', 's3v4'],
  ]
  const settingValue = fc.oneof(
    fc.constantFrom(...plausible),
    oddText(...plausible, '/', ':', '@', '?', '#', '\\', '.', '..', '%2F', '[', ']'),
    fc.webUrl(),
    fc.domain(),
    fc.json(),
    fc
      .dictionary(fc.constantFrom('CacheControl', 'Expires', 'Metadata', 'ACL', 'toString'), fc.jsonValue())
      .map((each) => JSON.stringify(each)),
    anyText,
  )
  const environment = fc.dictionary(fc.constantFrom(...variables), settingValue, { maxKeys: 3 })
  const on = { USE_S3: 'yes', AWS_STORAGE_BUCKET_NAME: 'my-bucket' }

  it('of any environment are resolved, or each problem is named', async () => {
    let resolvedOnes = 0
    await fc.assert(
      fc.asyncProperty(environment, environment, async (more, files) => {
        const shell: Variables = { ...on, ...more }
        const settings = await settingsOrProblems({}, { shell, files, all: { ...files, ...shell } })
        if (!settings) return
        resolvedOnes++
        expect(URL.canParse(settings.publicUrl), settings.publicUrl).toBe(true)
        expect(new URL(settings.publicUrl)).toMatchObject({ username: '', password: '', search: '', hash: '' })
        expect(settings.publicUrl).toMatch(/^https?:\/\/.*[^/]\/$/)
      }),
      cases(1000),
    )
    expect(resolvedOnes).toBeGreaterThan(100)
  })

  it('of any options are resolved, or each problem is named', async () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSparseArray: true,
    })
    const optionNames = [
      ...['enabled', 'bucket', 'location', 'region', 'customDomain', 'endpoint', 'addressingStyle', 'acl'],
      ...['objectParameters'],
      ...[
        'rules',
        'include',
        'exclude',
        'cacheControl',
        'sourceMaps',
        'compress',
        'rewrite',
        'fileOverwrite',
        'concurrency',
      ],
      ...['lockTimeout', 'cloudfront', 'onReleased'],
      ...['dryRun', 'force', 'onError', 'allowSecrets', 'toString'],
    ]
    const rule = fc.dictionary(
      fc.constantFrom('match', 'cacheControl', 'metadata', 'expires', 'acl', 'distributionId', 'x'),
      anything,
    )
    const option = fc.oneof(anything, settingValue, fc.array(rule), rule)
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...optionNames), option, { maxKeys: 4 }), async (options) => {
        await settingsOrProblems({ enabled: true, ...options } as Options, { shell: on, files: {}, all: on })
      }),
      cases(700),
    )
  })

  const cyclic: Record<string, unknown> = {}
  cyclic.self = cyclic
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`

  it.each<[what: string, options: Record<string, unknown>, shell: Variables]>([
    ['a number that JSON has not', { concurrency: 10n }, {}],
    ['an object that has itself', { region: cyclic }, {}],
    ['a symbol', { location: Symbol('static') }, {}],
    ['a parameter that has itself', { objectParameters: { CacheControl: cyclic } }, {}],
    ['a rule that has itself', { rules: [cyclic] }, {}],
    ['rules that are missing', { rules: [undefined, null, ...new Array(1)] }, {}],
    ['JSON that is deep', {}, { AWS_S3_OBJECT_PARAMETERS: `{"CacheControl":${deep}}` }],
    ['JSON that is deep at once', {}, { AWS_S3_OBJECT_PARAMETERS: deep }],
    ['a parameter that would be a prototype', {}, { AWS_S3_OBJECT_PARAMETERS: '{"__proto__":{"CacheControl":5}}' }],
    ['a glob that is the root', { exclude: ['/', './'] }, {}],
    ['a parameter with the name of a property of every object', {}, { AWS_S3_OBJECT_PARAMETERS: '{"toString":"a"}' }],
    ['a glob of 70,000 characters', { exclude: 'x'.repeat(70_000) }, {}],
  ])('of %s are resolved, or each problem is named', async (_what, options, shell) => {
    const all = { ...on, ...shell }
    const settings = await settingsOrProblems(options as Options, { shell: all, files: {}, all })
    if (settings)
      classify({ files: [{ path: 'a', dir: '/', emitted: true, fingerprinted: true }], leftOut: [] }, settings)
  })

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: dotenv's syntax, not JavaScript's
  const readFile = async (text: string) => {
    await writeFile(join(dir, '.env'), text)
    return inTime(() => readEnvironment('production', dir, { SHELL: 'a' }))
  }

  it('of any .env file are resolved, or each problem is named', async () => {
    const name = fc.oneof(fc.constantFrom('A', 'B', 'C', ...variables), anyText)
    const text = oddText(
      ...['$A', '$B', '${A}', '${B:-x}', '${C:-${A}}', '${', '}', '$', '\\$', '"', "'", '`', '#', ':-', ':+', '\\n'],
    )
    const line = fc.tuple(name, fc.oneof(text, settingValue)).map((parts) => parts.join('='))
    const file = fc.oneof(
      fc.array(fc.oneof(line, text), { maxLength: 8 }).map((lines) => lines.join('\n')),
      anyText,
    )
    await fc.assert(
      fc.asyncProperty(file, async (content) => {
        if (content.includes('\0')) {
          await expect(readFile(content)).rejects.toThrow('is UTF-16 or no text')
          return
        }
        const read = await readFile(content)
        await settingsOrProblems({}, { ...read, all: { ...read.all, ...on } })
      }),
      cases(400),
    )
  })

  it.each([
    ['a variable that has itself', 'A=a$A'],
    ['two variables that have each other', 'A=a$B\nB=b$A'],
    ['a variable with two that have each other', 'A=a$B\nB=b$C\nC=c$B'],
    ['a value with signs that a replacement reads', 'A=a$&b\nB=${A}'],
    ['a default that has itself', 'A=${A:-${A}}'],
  ])('of a .env file with %s are read', async (_what, text) => {
    expect((await readFile(text)).files).toHaveProperty('A')
  })
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: dotenv's syntax, not JavaScript's
})

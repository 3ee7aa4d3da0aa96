import { describe, expect, it } from 'vitest'
import type { ConfiguredEndpoint } from '../../src/settings/address.js'
import type { Variables } from '../../src/settings/environment.js'
import type { Options } from '../../src/settings/options.js'
import type { Build } from '../../src/settings/settings.js'
import { type Resolved, resolveSettings, type Settings, type SettingsInput } from '../../src/settings/settings.js'

/** Options as people write them, typos and wrong types included. */
type LooseOptions = { [name in keyof Options]?: unknown } & Record<string, unknown>

interface Given {
  options?: LooseOptions
  shell?: Variables
  files?: Variables
  build?: Partial<Build>
}

const input = ({ options = {}, shell = {}, files = {}, build = {} }: Given): SettingsInput => ({
  options: options as Options,
  environment: { shell, files, all: { ...files, ...shell } },
  build: { watch: false, whyNotProduction: undefined, mode: 'production', ...build },
  findRegion: async () => 'us-east-1',
  findEndpoint: async () => ({ ignored: false }),
})

const settingsOf = async (promise: Promise<Resolved>): Promise<Settings> => {
  const resolved = await promise
  if (!resolved.on) throw new Error(`off: ${resolved.because}`)
  return resolved.settings
}

/** Switched on and with a bucket, unless the case is about it. */
const resolve = ({ options, ...rest }: Given = {}): Promise<Settings> =>
  settingsOf(resolveSettings(input({ options: { enabled: true, bucket: 'my-bucket', ...options }, ...rest })))

const resolveEnv = (shell: Variables, files: Variables = {}): Promise<Settings> => resolve({ shell, files })

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  )

describe('defaults', () => {
  it('only the bucket is required', async () => {
    expect(await resolve()).toEqual({
      bucket: 'my-bucket',
      location: 'static',
      preview: undefined,
      region: 'us-east-1',
      customDomain: undefined,
      protocol: 'https:',
      endpoint: undefined,
      addressingStyle: 'auto',
      publicUrl: 'https://my-bucket.s3.us-east-1.amazonaws.com/static/',
      credentials: undefined,
      objectParameters: {},
      rules: [],
      include: [],
      exclude: [],
      allowMissing: [],
      compress: false,
      cacheControl: { fingerprinted: 'public, max-age=31536000, immutable', other: 'no-cache' },
      sourceMaps: 'exclude',
      rewrite: 'urls',
      fileOverwrite: true,
      upload: true,
      verify: 'warn',
      concurrency: 192,
      lockTimeout: 300,
      retention: undefined,
      activate: true,
      dryRun: false,
      report: undefined,
      force: false,
      onError: 'fail',
      cloudfront: undefined,
      onReleased: undefined,
      secrets: [],
      warnings: [],
      given: { options: { enabled: true, bucket: 'my-bucket' }, exposed: undefined },
    } satisfies Settings)
  })
})

describe('the environment', () => {
  it.each<[variable: string, value: string, setting: keyof Settings, means: unknown]>([
    ['AWS_STORAGE_BUCKET_NAME', 'other-bucket', 'bucket', 'other-bucket'],
    ['AWS_STORAGE_BUCKET_NAME', ' other-bucket\n', 'bucket', 'other-bucket'],
    ['AWS_LOCATION', 'assets', 'location', 'assets'],
    ['AWS_LOCATION', '', 'location', ''],
    ['AWS_LOCATION', '/', 'location', ''],
    ['AWS_S3_REGION_NAME', 'eu-central-1', 'region', 'eu-central-1'],
    ['AWS_REGION', 'eu-central-1', 'region', 'eu-central-1'],
    ['AWS_DEFAULT_REGION', 'eu-central-1', 'region', 'eu-central-1'],
    ['AWS_S3_CUSTOM_DOMAIN', 'cdn.example.com', 'customDomain', 'cdn.example.com'],
    ['AWS_S3_CUSTOM_DOMAIN', '', 'customDomain', undefined],
    ['AWS_S3_ENDPOINT_URL', 'https://s3.example.com', 'endpoint', 'https://s3.example.com'],
    ['AWS_ENDPOINT_URL_S3', 'https://s3.example.com', 'endpoint', 'https://s3.example.com'],
    ['AWS_S3_ADDRESSING_STYLE', 'path', 'addressingStyle', 'path'],
    ['AWS_S3_ADDRESSING_STYLE', 'virtual', 'addressingStyle', 'virtual'],
    ['AWS_S3_ADDRESSING_STYLE', '', 'addressingStyle', 'auto'],
    ['AWS_S3_URL_PROTOCOL', 'http:', 'protocol', 'http:'],
    ['AWS_S3_URL_PROTOCOL', 'http', 'protocol', 'http:'],
    ['AWS_S3_URL_PROTOCOL', 'https://', 'protocol', 'https:'],
    ['AWS_DEFAULT_ACL', 'public-read', 'objectParameters', { ACL: 'public-read' }],
    ['AWS_DEFAULT_ACL', 'None', 'objectParameters', {}],
    ['AWS_DEFAULT_ACL', '', 'objectParameters', {}],
    [
      'AWS_S3_OBJECT_PARAMETERS',
      '{"StorageClass": "STANDARD_IA"}',
      'objectParameters',
      { StorageClass: 'STANDARD_IA' },
    ],
    ['AWS_S3_OBJECT_PARAMETERS', '{"Metadata": {"a": "b"}}', 'objectParameters', { Metadata: { a: 'b' } }],
    ['AWS_S3_OBJECT_PARAMETERS', '{}', 'objectParameters', {}],
    ['AWS_IS_GZIPPED', 'True', 'compress', true],
    ['AWS_IS_GZIPPED', '0', 'compress', false],
    ['AWS_S3_FILE_OVERWRITE', 'False', 'fileOverwrite', false],
    ['AWS_S3_FILE_OVERWRITE', 'True', 'fileOverwrite', true],
  ])('%s=%s', async (variable, value, setting, means) => {
    const options = variable === 'AWS_STORAGE_BUCKET_NAME' ? { bucket: undefined } : {}
    expect((await resolve({ options, shell: { [variable]: value } }))[setting]).toEqual(means)
  })

  it.each<[first: string, second: string, setting: keyof Settings]>([
    ['AWS_S3_REGION_NAME', 'AWS_REGION', 'region'],
    ['AWS_REGION', 'AWS_DEFAULT_REGION', 'region'],
    ['AWS_S3_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3', 'endpoint'],
  ])('%s beats %s', async (first, second, setting) => {
    const [one, other] =
      setting === 'region' ? ['eu-west-1', 'us-west-2'] : ['https://one.example', 'https://two.example']
    expect((await resolve({ shell: { [first]: one, [second]: other } }))[setting]).toBe(one)
    expect((await resolve({ shell: { [first]: '', [second]: other } }))[setting]).toBe(other)
  })

  it.each<[variable: string, value: string]>([
    ['AWS_QUERYSTRING_EXPIRE', '3600'],
    ['AWS_S3_MAX_MEMORY_SIZE', '0'],
    ['AWS_S3_USE_THREADS', 'True'],
    ['GZIP_CONTENT_TYPES', 'text/css'],
    ['AWS_QUERYSTRING_AUTH', 'False'],
    ['AWS_QUERYSTRING_AUTH', ''],
    ['AWS_S3_SIGNATURE_VERSION', 's3v4'],
    ['AWS_S3_VERIFY', 'True'],
    ['AWS_IS_GZIPPED', 'False'],
    ['AWS_IS_GZIPPED', ''],
  ])('%s=%s changes nothing', async (variable, value) => {
    expect(await resolve({ shell: { [variable]: value } })).toEqual(await resolve())
  })

  it('GZIP_CONTENT_TYPES gives a warning', async () => {
    expect((await resolve({ shell: { AWS_IS_GZIPPED: '1', GZIP_CONTENT_TYPES: 'text/css' } })).warnings).toEqual([
      'GZIP_CONTENT_TYPES is "text/css": it is not read, and `compress` gzips CSS, JavaScript, SVG and WebAssembly',
    ])
  })
})

describe('an option beats the environment', () => {
  it.each<
    [option: keyof Options, value: unknown, variable: string, other: string, setting: keyof Settings, is: unknown]
  >([
    ['bucket', 'one-bucket', 'AWS_STORAGE_BUCKET_NAME', 'two-bucket', 'bucket', 'one-bucket'],
    ['location', 'one', 'AWS_LOCATION', 'two', 'location', 'one'],
    ['location', '', 'AWS_LOCATION', 'two', 'location', ''],
    ['region', 'eu-west-1', 'AWS_S3_REGION_NAME', 'us-west-2', 'region', 'eu-west-1'],
    ['customDomain', 'one.example', 'AWS_S3_CUSTOM_DOMAIN', 'two.example', 'customDomain', 'one.example'],
    [
      'endpoint',
      'https://one.example',
      'AWS_S3_ENDPOINT_URL',
      'https://two.example',
      'endpoint',
      'https://one.example',
    ],
    ['addressingStyle', 'virtual', 'AWS_S3_ADDRESSING_STYLE', 'path', 'addressingStyle', 'virtual'],
    ['acl', 'private', 'AWS_DEFAULT_ACL', 'public-read', 'objectParameters', { ACL: 'private' }],
    [
      'objectParameters',
      { StorageClass: 'GLACIER_IR' },
      'AWS_S3_OBJECT_PARAMETERS',
      '{"StorageClass": "STANDARD_IA"}',
      'objectParameters',
      { StorageClass: 'GLACIER_IR' },
    ],
    ['compress', false, 'AWS_IS_GZIPPED', 'True', 'compress', false],
    ['fileOverwrite', true, 'AWS_S3_FILE_OVERWRITE', 'False', 'fileOverwrite', true],
    ['fileOverwrite', false, 'AWS_S3_FILE_OVERWRITE', 'True', 'fileOverwrite', false],
    ['concurrency', 8, 'STATIC_S3_CONCURRENCY', '4', 'concurrency', 8],
  ])('%s: %j over %s=%s', async (option, value, variable, other, setting, is) => {
    expect((await resolve({ options: { [option]: value }, shell: { [variable]: other } }))[setting]).toEqual(is)
  })

  it('STATIC_S3_CONCURRENCY is read if the option is not set', async () => {
    expect(await resolve({ shell: { STATIC_S3_CONCURRENCY: '16' } })).toMatchObject({ concurrency: 16 })
    for (const value of ['0', '257', '1.5', '0x10', 'many']) {
      expect(await messageOf(resolve({ shell: { STATIC_S3_CONCURRENCY: value } }))).toContain(
        `STATIC_S3_CONCURRENCY is "${value}": use a whole number from 1 to 256.`,
      )
    }
  })

  it('undefined and null mean not set', async () => {
    const shell = { AWS_LOCATION: 'from-env', AWS_S3_REGION_NAME: 'eu-west-1' }
    const settings = await resolve({ options: { location: undefined, region: null, rules: null }, shell })
    expect(settings).toMatchObject({ location: 'from-env', region: 'eu-west-1', rules: [] })
  })
})

describe('other options', () => {
  it.each<[option: keyof Options, value: unknown, setting: keyof Settings, is: unknown]>([
    ['include', '*.js', 'include', ['*.js']],
    ['include', ['*.js', 'fonts/**'], 'include', ['*.js', 'fonts/**']],
    ['exclude', '*.txt', 'exclude', ['*.txt']],
    ['sourceMaps', 'public', 'sourceMaps', 'public'],
    ['rewrite', 'base', 'rewrite', 'base'],
    ['rewrite', false, 'rewrite', false],
    ['concurrency', 1, 'concurrency', 1],
    ['concurrency', 256, 'concurrency', 256],
    ['lockTimeout', 0, 'lockTimeout', 0],
    ['lockTimeout', 86_400, 'lockTimeout', 86_400],
    ['retention', {}, 'retention', { releases: 10, days: 30 }],
    ['retention', { releases: 1, days: 0 }, 'retention', { releases: 1, days: 0 }],
    ['dryRun', true, 'dryRun', true],
    ['dryRun', 'yes', 'dryRun', true],
    ['force', true, 'force', true],
    ['onError', 'warn', 'onError', 'warn'],
    [
      'cacheControl',
      { other: 'max-age=60' },
      'cacheControl',
      { fingerprinted: 'public, max-age=31536000, immutable', other: 'max-age=60' },
    ],
    ['cacheControl', { fingerprinted: 'max-age=5' }, 'cacheControl', { fingerprinted: 'max-age=5', other: 'no-cache' }],
    [
      'rules',
      [{ match: '*.pdf', cacheControl: 'max-age=60' }],
      'rules',
      [{ match: ['*.pdf'], parameters: { CacheControl: 'max-age=60' } }],
    ],
    [
      'rules',
      [
        {
          match: ['a/**', '*.b'],
          contentType: 'x/y',
          metadata: { who: 'me' },
          storageClass: 'STANDARD_IA',
          acl: 'private',
          tagging: 'a=b',
        },
      ],
      'rules',
      [
        {
          match: ['a/**', '*.b'],
          parameters: {
            ContentType: 'x/y',
            Metadata: { who: 'me' },
            StorageClass: 'STANDARD_IA',
            ACL: 'private',
            Tagging: 'a=b',
          },
        },
      ],
    ],
    [
      'rules',
      [{ match: '*', expires: '2030-01-01' }],
      'rules',
      [{ match: ['*'], parameters: { Expires: new Date('2030-01-01') } }],
    ],
    ['objectParameters', { Expires: '2030-01-01' }, 'objectParameters', { Expires: new Date('2030-01-01') }],
    ['objectParameters', { ContentType: undefined, StorageClass: 'X' }, 'objectParameters', { StorageClass: 'X' }],
    // The SDK takes dates for these, and JSON in the environment has none.
    [
      'objectParameters',
      '{"ObjectLockRetainUntilDate": "2030-01-01"}',
      'objectParameters',
      { ObjectLockRetainUntilDate: new Date('2030-01-01') },
    ],
  ])('%s: %j', async (option, value, setting, is) => {
    expect((await resolve({ options: { [option]: value } }))[setting]).toStrictEqual(is)
  })

  it('acl beats objectParameters', async () => {
    const options = { acl: 'private', objectParameters: { ACL: 'public-read' } }
    expect((await resolve({ options })).objectParameters).toEqual({ ACL: 'private' })
  })
})

describe('on or off', () => {
  const decide = (given: Given) =>
    resolveSettings(input({ ...given, options: { bucket: 'my-bucket', ...given.options } }))

  it.each<[options: LooseOptions, USE_S3: string | undefined, on: boolean, because: string]>([
    [{}, undefined, false, 'USE_S3 is not set'],
    [{}, '', false, 'USE_S3 is not set'],
    [{}, '  ', false, 'USE_S3 is not set'],
    [{}, '1', true, ''],
    [{}, 'true', true, ''],
    [{}, 'True', true, ''],
    [{}, 'TRUE', true, ''],
    [{}, 'yes', true, ''],
    [{}, 'on', true, ''],
    [{}, ' on\n', true, ''],
    [{}, '0', false, 'USE_S3 is "0"'],
    [{}, 'false', false, 'USE_S3 is "false"'],
    [{}, 'False', false, 'USE_S3 is "False"'],
    [{}, 'no', false, 'USE_S3 is "no"'],
    [{}, ' off ', false, 'USE_S3 is "off"'],
    [{ enabled: true }, undefined, true, ''],
    [{ enabled: true }, '0', true, ''],
    [{ enabled: 'yes' }, undefined, true, ''],
    [{ enabled: false }, '1', false, 'option `enabled` is false'],
    [{ enabled: () => true }, '0', true, ''],
    [{ enabled: () => false }, '1', false, 'option `enabled` returned false'],
  ])('%o and USE_S3=%s', async (options, USE_S3, on, because) => {
    const decided = await decide({ options, shell: { USE_S3 } })
    expect(decided).toMatchObject(on ? { on } : { on, because })
  })

  it.each<[what: string, build: Partial<Build>, because: string]>([
    ['a watch build', { watch: true }, 'a watch build stays on disk; build without --watch'],
    [
      'a build that is not for production',
      { whyNotProduction: 'NODE_ENV is development' },
      'this is not a production build: NODE_ENV is development',
    ],
  ])('%s stays on disk', async (_what, build, because) => {
    expect(await decide({ shell: { USE_S3: '1' }, build })).toEqual({ on: false, because })
  })

  it('a function gets the environment, .env files included, and the mode', async () => {
    const enabled = (environment: Variables, mode: string) => environment.DEPLOY === 'yes' && mode === 'staging'
    const given = { options: { enabled }, files: { DEPLOY: 'yes' } }
    expect((await decide({ ...given, build: { mode: 'staging' } })).on).toBe(true)
    expect((await decide(given)).on).toBe(false)
  })

  it('no other setting is checked if it is off', async () => {
    const findRegion = () => Promise.reject(new Error('asked'))
    const wrong = input({ shell: { AWS_S3_OBJECT_PARAMETERS: '{', AWS_LOCATION: '..', AWS_ACCESS_KEY_ID: 'half' } })
    expect(await resolveSettings({ ...wrong, findRegion })).toEqual({ on: false, because: 'USE_S3 is not set' })
  })

  it.each<[what: string, given: Given, problem: string]>([
    [
      'a word that is neither yes nor no',
      { shell: { USE_S3: 'maybe' } },
      'USE_S3 is "maybe": use 1, true, yes, on, 0, false, no or off.',
    ],
    ['a number', { options: { enabled: 2 } }, 'option `enabled` is 2: use 1, true'],
    [
      "a function's answer",
      { options: { enabled: () => 'yes' } },
      'option `enabled` returned "yes": return true or false.',
    ],
    ['a promise', { options: { enabled: async () => true } }, 'option `enabled` returned {}: return true or false.'],
    ['an unknown option, also where it is off', { options: { buckett: 'x' } }, 'option `buckett` is unknown'],
  ])('refuses %s', async (_what, given, problem) => {
    expect(await messageOf(decide(given))).toContain(`static-s3: a setting is wrong\n  - ${problem}`)
  })

  it('null means no options', async () => {
    const given = { ...input({}), options: null as unknown as Options }
    expect(await resolveSettings(given)).toEqual({ on: false, because: 'USE_S3 is not set' })
  })
})

describe('booleans', () => {
  it.each([
    ...['1', 'true', 'True', 'TRUE', 'yes', 'Yes', 'on', 'ON', ' true '].map((text) => [text, true] as const),
    ...['0', 'false', 'False', 'FALSE', 'no', 'No', 'off', 'OFF', ' false '].map((text) => [text, false] as const),
  ])('%j is %s', async (text, means) => {
    expect((await resolveEnv({ AWS_S3_FILE_OVERWRITE: text })).fileOverwrite).toBe(means)
    expect((await resolve({ options: { fileOverwrite: text } })).fileOverwrite).toBe(means)
  })

  it.each(['2', 'y', 'enabled', 'none', '[]'])('%j is refused', async (text) => {
    expect(await messageOf(resolveEnv({ AWS_S3_FILE_OVERWRITE: text }))).toBe(
      `static-s3: a setting is wrong\n  - AWS_S3_FILE_OVERWRITE is ${JSON.stringify(text)}: use 1, true, yes, on, 0, false, no or off.`,
    )
  })
})

describe('problems', () => {
  it('are reported together', async () => {
    const message = await messageOf(
      resolve({
        options: { bucket: 'My_Bucket', regoin: 'eu-west-1', concurrency: 0, include: [1] },
        shell: { AWS_LOCATION: '../up', AWS_S3_OBJECT_PARAMETERS: '{', AWS_QUERYSTRING_AUTH: 'True' },
      }),
    )
    expect(message).toBe(
      [
        'static-s3: 7 settings are wrong',
        '  - option `regoin` is unknown: did you mean `region`?',
        '  - option `bucket` is "My_Bucket": use 3 to 63 lower-case letters, digits, single dots and hyphens, and no IP address.',
        '  - AWS_LOCATION is "../up": remove empty, "." and ".." parts.',
        '  - AWS_S3_OBJECT_PARAMETERS is no JSON object: use one such as {"StorageClass": "STANDARD_IA"}.',
        '  - option `include` is [1]: use a glob or a list of globs, with / between folders and no ! in front.',
        '  - option `concurrency` is 0: use a whole number from 1 to 256.',
        '  - AWS_QUERYSTRING_AUTH is "True": turn it off, because signed URLs expire before files that are cached for a year.',
      ].join('\n'),
    )
  })

  it('name a missing bucket once, with both settings', async () => {
    for (const shell of [{}, { AWS_STORAGE_BUCKET_NAME: '' }, { AWS_STORAGE_BUCKET_NAME: '  ' }]) {
      expect(await messageOf(resolveSettings(input({ options: { enabled: true }, shell })))).toBe(
        "static-s3: a setting is wrong\n  - AWS_STORAGE_BUCKET_NAME is not set: set it, or option `bucket`, to the bucket's name.",
      )
    }
    const shell = { AWS_STORAGE_BUCKET_NAME: 'my-bucket' }
    expect(await messageOf(resolveSettings(input({ options: { enabled: true, bucket: '' }, shell })))).toBe(
      "static-s3: a setting is wrong\n  - option `bucket` is empty: set it to the bucket's name.",
    )
    expect(await messageOf(resolveSettings(input({ options: { enabled: true, bucket: 5 } })))).toBe(
      'static-s3: a setting is wrong\n  - option `bucket` is 5: use a string.',
    )
  })

  it('have the message as their stack, because bundlers print the stack', async () => {
    const error = await resolve({ options: { concurrency: 0 } }).catch((reason: Error) => reason)
    expect((error as Error).stack).toBe((error as Error).message)
  })

  it.each<[option: string, suggestion: string]>([
    ['buckets', ': did you mean `bucket`?'],
    ['Bucket', ': did you mean `bucket`?'],
    ['custom_domain', ': did you mean `customDomain`?'],
    ['sourcemaps', ': did you mean `sourceMaps`?'],
    ['sourcemap', ': did you mean `sourceMaps`?'],
    ['cachecontrol', ': did you mean `cacheControl`?'],
    ['drrr', ': use one of enabled, bucket, location, '],
    ['accessKeyId', ': use one of enabled, '],
    ['toString', ': use one of enabled, '],
  ])('an unknown option: %s', async (option, suggestion) => {
    expect(await messageOf(resolve({ options: { [option]: 'x' } }))).toContain(
      `static-s3: a setting is wrong\n  - option \`${option}\` is unknown${suggestion}`,
    )
  })

  it.each<[option: keyof Options, value: unknown, problem: string]>([
    ['location', 5, 'option `location` is 5: use a string.'],
    ['region', ['eu-west-1'], 'option `region` is ["eu-west-1"]: use a string.'],
    ['customDomain', {}, 'option `customDomain` is {}: use a string.'],
    ['endpoint', true, 'option `endpoint` is true: use a string.'],
    ['addressingStyle', 'host', 'option `addressingStyle` is "host": use one of "auto", "path", "virtual".'],
    ['acl', 'public', 'option `acl` is "public": use one of private, public-read, '],
    ['sourceMaps', true, 'option `sourceMaps` is true: use one of "exclude", "public".'],
    ['rewrite', true, 'option `rewrite` is true: use one of "urls", "relative", "base", false.'],
    ['onError', 'ignore', 'option `onError` is "ignore": use one of "fail", "warn".'],
    ['concurrency', '8', 'option `concurrency` is "8": use a whole number from 1 to 256.'],
    ['concurrency', 1.5, 'option `concurrency` is 1.5: use a whole number from 1 to 256.'],
    ['concurrency', 257, 'option `concurrency` is 257: use a whole number from 1 to 256.'],
    ['concurrency', Number.NaN, 'option `concurrency` is null: use a whole number from 1 to 256.'],
    ['lockTimeout', -1, 'option `lockTimeout` is -1: use a whole number from 0 to 86400.'],
    ['lockTimeout', 86_401, 'option `lockTimeout` is 86401: use a whole number from 0 to 86400.'],
    ['retention', 10, 'option `retention` is 10: use { releases, days }.'],
    ['retention', { releases: 0 }, 'option `retention.releases` is 0: use a whole number from 1.'],
    ['retention', { days: -1 }, 'option `retention.days` is -1: use a number from 0.'],
    ['retention', { day: 1 }, 'option `retention.day` is unknown: did you mean `days`?'],
    ['lockTimeout', '30', 'option `lockTimeout` is "30": use a whole number from 0 to 86400.'],
    ['force', 'sure', 'option `force` is "sure": use 1, true, yes, on, 0, false, no or off.'],
    ['exclude', /x/, 'option `exclude` is {}: use a glob or a list of globs'],
    [
      'exclude',
      'drafts\\**',
      'option `exclude` is "drafts\\\\**": use a glob or a list of globs, with / between folders',
    ],
    ['include', ['*.js', '\\[id\\].js'], 'option `include` is ["*.js","\\\\[id\\\\].js"]: use a glob'],
    ['exclude', ['..'], 'option `exclude` is [".."]: use a glob'],
    ['exclude', '//', 'option `exclude` is "//": use a glob'],
    ['exclude', '', 'option `exclude` is "": use a glob or a list of globs, with / between folders and no ! in front.'],
    [
      'include',
      () => true,
      'option `include` is a function: use a glob or a list of globs, with / between folders and no ! in front.',
    ],
    ['cacheControl', 'max-age=60', 'option `cacheControl` is "max-age=60": use { fingerprinted, other }.'],
    ['cacheControl', { others: 'x' }, 'option `cacheControl.others` is unknown: did you mean `other`?'],
    ['cacheControl', { other: 60 }, 'option `cacheControl.other` is 60: use a string of printable ASCII characters.'],
    ['cacheControl', { other: 'a\r\nX-Evil: b' }, 'option `cacheControl.other` is "a\\r\\nX-Evil: b": use a string'],
    ['rules', { match: '*' }, 'option `rules` is {"match":"*"}: use a list of rules such as'],
    ['rules', [{ cacheControl: 'x' }], 'option `rules[0].match` is undefined: use a glob or a list of globs'],
    ['rules', [{ match: [] }], 'option `rules[0].match` is []: use a glob or a list of globs'],
    ['rules', [null], 'option `rules[0]` is null: use an object'],
    ['rules', ['*.js'], 'option `rules[0]` is "*.js": use an object'],
    [
      'rules',
      [{ match: '*' }, { match: '*', cachecontrol: 'x' }],
      'option `rules[1].cachecontrol` is unknown: did you mean `cacheControl`?',
    ],
    ['rules', [{ match: '*', constructor: 'x' }], 'option `rules[0].constructor` is unknown'],
    ['rules', [{ match: '*', metadata: { a: 1 } }], 'option `rules[0].metadata` is {"a":1}: use an object'],
    ['rules', [{ match: '*', expires: 'soon' }], 'option `rules[0].expires` is "soon": use a date'],
    ['rules', [{ match: '*', acl: 'public' }], 'option `rules[0].acl` is "public": use one of'],
    ['objectParameters', 'x', 'option `objectParameters` is no JSON object: use one such as'],
    ['objectParameters', [], 'option `objectParameters` is no JSON object: use one such as'],
    [
      'objectParameters',
      { Body: 'x' },
      'option `objectParameters.Body` is no PutObject parameter for many files: remove it.',
    ],
    ['objectParameters', { cacheControl: 'x' }, 'option `objectParameters.cacheControl` is no PutObject parameter'],
    ['objectParameters', { constructor: 'x' }, 'option `objectParameters.constructor` is no PutObject parameter'],
    [
      'objectParameters',
      { BucketKeyEnabled: 'yes' },
      'option `objectParameters.BucketKeyEnabled` is "yes": use true or false.',
    ],
    ['objectParameters', { Expires: 'soon' }, 'option `objectParameters.Expires` is "soon": use a date such as'],
    ['objectParameters', { Expires: null }, 'option `objectParameters.Expires` is null: use a date such as'],
    ['objectParameters', { StorageClass: 'A\nB' }, 'option `objectParameters.StorageClass` is "A\\nB": use a string'],
    ['objectParameters', { ACL: 'public' }, 'option `objectParameters.ACL` is "public": use one of'],
  ])('%s: %j', async (option, value, problem) => {
    const message = await messageOf(resolve({ options: { [option]: value } }))
    expect(message).toContain('static-s3: a setting is wrong\n')
    expect(message).toContain(`  - ${problem}`)
  })

  it.each<[variable: string, value: string, problem: string]>([
    [
      'AWS_S3_OBJECT_PARAMETERS',
      "{'CacheControl': 'max-age=86400'}",
      ' is no JSON object: use one such as {"StorageClass": "STANDARD_IA"}.',
    ],
    ['AWS_S3_OBJECT_PARAMETERS', 'null', ' is no JSON object: use one such as {"StorageClass": "STANDARD_IA"}.'],
    ['AWS_S3_OBJECT_PARAMETERS', '["a"]', ' is no JSON object: use one such as'],
    ['AWS_S3_OBJECT_PARAMETERS', '{"Key": "x"}', '.Key is no PutObject parameter for many files: remove it.'],
    ['AWS_S3_URL_PROTOCOL', 'ftp:', ' is "ftp:": use "https:" or "http:".'],
    ['AWS_S3_ADDRESSING_STYLE', 'dns', ' is "dns": use one of "auto", "path", "virtual".'],
    ['AWS_DEFAULT_ACL', 'none', ' is "none": use one of private, public-read, '],
    [
      'AWS_QUERYSTRING_AUTH',
      'True',
      ' is "True": turn it off, because signed URLs expire before files that are cached for a year.',
    ],
    ['AWS_QUERYSTRING_AUTH', '1', ' is "1": turn it off'],
    ['AWS_QUERYSTRING_AUTH', 'maybe', ' is "maybe": use 1, true, yes, on, 0, false, no or off.'],
    ['AWS_S3_SIGNATURE_VERSION', 's3', ' is "s3": use "s3v4", the only signature that S3 accepts everywhere.'],
    ['AWS_S3_VERIFY', 'False', ' is "False": turn it on, because TLS is always verified'],
    [
      'AWS_S3_VERIFY',
      '/etc/ca.pem',
      ' is "/etc/ca.pem": turn it on, because TLS is always verified (NODE_EXTRA_CA_CERTS=file.pem adds a certificate authority).',
    ],
  ])('%s=%s', async (variable, value, problem) => {
    const message = await messageOf(resolveEnv({ [variable]: value }))
    expect(message).toContain('static-s3: a setting is wrong\n')
    expect(message).toContain(`  - ${variable}${problem}`)
  })
})

describe('location', () => {
  it.each<[given: string, means: string]>([
    ['static', 'static'],
    ['/static/', 'static'],
    ['///static///', 'static'],
    [' static ', 'static'],
    ['a/b/c', 'a/b/c'],
    ['..a', '..a'],
    ['a..b/c.', 'a..b/c.'],
    ['...', '...'],
    ['A-b_c.d~e/1', 'A-b_c.d~e/1'],
    ['.well-known', '.well-known'],
    ['.static-s3x', '.static-s3x'],
    ['static/.static-s3', 'static/.static-s3'],
    ['', ''],
    ['/', ''],
    ['   ', ''],
  ])('%j is %j', async (given, means) => {
    expect((await resolveEnv({ AWS_LOCATION: given })).location).toBe(means)
    expect((await resolve({ options: { location: given } })).location).toBe(means)
  })

  it.each<[given: string, problem: string]>([
    ['..', 'remove empty, "." and ".." parts.'],
    ['../static', 'remove empty, "." and ".." parts.'],
    ['static/../..', 'remove empty, "." and ".." parts.'],
    ['static/..', 'remove empty, "." and ".." parts.'],
    ['.', 'remove empty, "." and ".." parts.'],
    ['a/./b', 'remove empty, "." and ".." parts.'],
    ['a//b', 'remove empty, "." and ".." parts.'],
    ['%2e%2e', 'remove empty, "." and ".." parts.'],
    ['a/%2E%2e/b', 'remove empty, "." and ".." parts.'],
    ['a/.%2e', 'remove empty, "." and ".." parts.'],
    ['a/%2e', 'remove empty, "." and ".." parts.'],
    ['https://cdn.example.com/static', 'use a folder in the bucket, not a URL.'],
    ['s3://bucket/static', 'use a folder in the bucket, not a URL.'],
    ['C:\\static', 'use a folder in the bucket, not a URL.'],
    ['a\\b', 'use letters, digits and - _ . ~ /.'],
    ['a\nb', 'use letters, digits and - _ . ~ /.'],
    ['a\u0000b', 'use letters, digits and - _ . ~ /.'],
    ['my files', 'use letters, digits and - _ . ~ /.'],
    ['größe', 'use letters, digits and - _ . ~ /.'],
    ['a%20b', 'use letters, digits and - _ . ~ /.'],
    ['a+b', 'use letters, digits and - _ . ~ /.'],
    ['a#b?c', 'use letters, digits and - _ . ~ /.'],
    ['a/%252e%252e/b', 'use letters, digits and - _ . ~ /.'],
    ['..\\admin', 'use letters, digits and - _ . ~ /.'],
    ['a/..\\..', 'use letters, digits and - _ . ~ /.'],
    ['..%2fadmin', 'use letters, digits and - _ . ~ /.'],
    ['..%5cadmin', 'use letters, digits and - _ . ~ /.'],
    ['static/../.static-s3', 'remove empty, "." and ".." parts.'],
    ['./.static-s3', 'remove empty, "." and ".." parts.'],
    ['//other-host/static/..', 'remove empty, "." and ".." parts.'],
    ['.static-s3', 'use another folder, because .static-s3 contains the records.'],
    ['/.static-s3/static', 'use another folder, because .static-s3 contains the records.'],
  ])('%j is refused', async (given, problem) => {
    const rest = `is ${JSON.stringify(given)}: ${problem}`
    expect(await messageOf(resolveEnv({ AWS_LOCATION: given }))).toContain(`  - AWS_LOCATION ${rest}`)
    expect(await messageOf(resolve({ options: { location: given } }))).toContain(`  - option \`location\` ${rest}`)
  })
})

describe('bucket', () => {
  it.each(['abc', 'a.b.c', 'my-bucket-1', '123', 'a'.repeat(63), 'my-alias-x1y2z3-s3alias'])('%s', async (bucket) => {
    expect((await resolve({ options: { bucket } })).bucket).toBe(bucket)
  })

  it.each<[bucket: string, problem: string]>([
    ['ab', 'use 3 to 63 lower-case letters'],
    ['a'.repeat(64), 'use 3 to 63 lower-case letters'],
    ['My-Bucket', 'use 3 to 63 lower-case letters'],
    ['my_bucket', 'use 3 to 63 lower-case letters'],
    ['-bucket', 'use 3 to 63 lower-case letters'],
    ['bucket.', 'use 3 to 63 lower-case letters'],
    ['büro', 'use 3 to 63 lower-case letters'],
    ['my..bucket', 'use 3 to 63'],
    ['192.168.5.4', 'use 3 to 63'],
    ['bucket/static', "use only the bucket's name (a folder in it goes into AWS_LOCATION)."],
    ['s3://bucket', "use only the bucket's name"],
    ['https://bucket.s3.amazonaws.com', "use only the bucket's name"],
    ['a\\b', "use only the bucket's name"],
    ['arn:aws:s3:us-east-1:123456789012:accesspoint/site', "use the bucket's name, or the access point's alias."],
    [
      'site--usw2-az1--x-s3',
      'use a general purpose bucket, because browsers cannot read a directory bucket (S3 Express).',
    ],
    ['site-ap--usw2-az1--xa-s3', 'use a general purpose bucket'],
    ['site-abc123--ol-s3', 'use the bucket behind it'],
    ['mfzwi23gnjvgw.mrap', 'use one of its buckets'],
  ])('%s is refused', async (bucket, problem) => {
    expect(await messageOf(resolve({ options: { bucket } }))).toContain(
      `  - option \`bucket\` is "${bucket.replace('\\', '\\\\')}": ${problem}`,
    )
  })

  it('a directory bucket is refused at an endpoint of AWS too, with and without a custom domain', async () => {
    for (const domain of [{}, { customDomain: 'cdn.example.com' }]) {
      const options = { bucket: 'site--usw2-az1--x-s3', endpoint: 'https://s3.us-west-2.amazonaws.com', ...domain }
      expect(await messageOf(resolve({ options }))).toContain('browsers cannot read a directory bucket (S3 Express)')
    }
  })

  describe('in another store than AWS', () => {
    const endpoint = 'https://s3.example.com'
    it.each(['My_Bucket', 'ab', 'UPPER.case'])('%s', async (bucket) => {
      expect((await resolve({ options: { bucket, endpoint } })).bucket).toBe(bucket)
    })
    it.each(['a b', 'a/b', 'a:b', 'ü', '..', '.'])('%s is refused', async (bucket) => {
      expect(await messageOf(resolve({ options: { bucket, endpoint } }))).toContain(
        `  - option \`bucket\` is "${bucket}": use `,
      )
    })
  })
})

describe('customDomain', () => {
  it.each<[given: string, publicUrl: string]>([
    ['cdn.example.com', 'https://cdn.example.com/static/'],
    ['cdn.example.com/', 'https://cdn.example.com/static/'],
    ['https://cdn.example.com', 'https://cdn.example.com/static/'],
    ['HTTPS://cdn.example.com', 'https://cdn.example.com/static/'],
    ['https://cdn.example.com//', 'https://cdn.example.com/static/'],
    ['//cdn.example.com', 'https://cdn.example.com/static/'],
    ['http://localhost:9000', 'http://localhost:9000/static/'],
    ['cdn.example.com:8443', 'https://cdn.example.com:8443/static/'],
    ['CDN.Example.com:443', 'https://cdn.example.com/static/'],
    ['bücher.example', 'https://xn--bcher-kva.example/static/'],
    ['localhost:9000/my-bucket', 'https://localhost:9000/my-bucket/static/'],
    ['cdn.example.com/site/assets/', 'https://cdn.example.com/site/assets/static/'],
    ['[::1]:9000', 'https://[::1]:9000/static/'],
  ])('%s', async (customDomain, publicUrl) => {
    expect((await resolve({ options: { customDomain } })).publicUrl).toBe(publicUrl)
  })

  it.each([
    'cdn example.com',
    'a\\b',
    'ftp://cdn.example.com',
    'https://',
    'https:/cdn.example.com',
    'a:b:c',
    'cdn.example.com/%2e%2E/x',
    'cdn.example.com/..%2fx',
    'cdn.example.com/%252e%252e/x',
    'cdn.example.com\\..\\x',
    // Templates that nobody filled in, and values with their quotes.
    '"cdn.example.com"',
    "'cdn.example.com'",
    '$' + '{CDN_HOST}',
    'cdn.$' + '{ENV}.example.com',
    '{{ cdn }}.example.com',
    '%CDN%.example.com',
    'one.example.com,two.example.com',
    'one.example.com two.example.com',
    'cdn.example.com/a,b',
    'cdn.example.com;',
    '*.example.com',
  ])('%s is refused', async (customDomain) => {
    expect(await messageOf(resolve({ options: { customDomain } }))).toContain(
      `  - option \`customDomain\` is ${JSON.stringify(customDomain)}: use a domain such as cdn.example.com.`,
    )
  })

  it.each(['cdn.example.com/../x', 'cdn.example.com/x/..', 'cdn.example.com//x', 'cdn.example.com/./x'])(
    '%s is refused for its path',
    async (customDomain) => {
      expect(await messageOf(resolve({ options: { customDomain } }))).toContain(
        `  - option \`customDomain\` is "${customDomain}": remove empty, "." and ".." parts from its path.`,
      )
    },
  )

  it.each<[customDomain: string, problem: string]>([
    ['my-bucket.s3-website.eu-central-1.amazonaws.com', 'use a CloudFront distribution, or no domain, because'],
    ['my-bucket.s3-website-us-east-1.amazonaws.com', 'use a CloudFront distribution, or no domain, because'],
    ['0123.r2.cloudflarestorage.com', "set AWS_S3_CUSTOM_DOMAIN to the bucket's own or its r2.dev domain"],
    ['storage.cloud.google.com/my-bucket', 'use storage.googleapis.com/BUCKET'],
  ])('%s is refused, because pages cannot use it', async (customDomain, problem) => {
    expect(await messageOf(resolve({ options: { customDomain } }))).toContain(
      `  - option \`customDomain\` is "${customDomain}": ${problem}`,
    )
  })

  it('may be a website endpoint without TLS, if the setting says so', async () => {
    const customDomain = 'http://my-bucket.s3-website.eu-central-1.amazonaws.com'
    expect((await resolve({ options: { customDomain } })).publicUrl).toBe(`${customDomain}/static/`)
  })
})

describe('endpoint', () => {
  it.each<[given: string, means: string]>([
    ['https://s3.example.com', 'https://s3.example.com'],
    ['http://127.0.0.1:9000/', 'http://127.0.0.1:9000'],
    ['https://gateway.example.com/s3/', 'https://gateway.example.com/s3'],
  ])('%s', async (endpoint, means) => {
    expect((await resolve({ options: { endpoint } })).endpoint).toBe(means)
  })

  it.each<[given: string, problem: string]>([
    ['s3.example.com', ' is %: use a URL such as https://s3.example.com.'],
    ['s3.us-west-004.backblazeb2.com', ' is %: use a URL such as https://s3.us-west-004.backblazeb2.com.'],
    ['storage.googleapis.com', ' is %: use a URL such as https://storage.googleapis.com.'],
    ['localhost:9000', ' is %: use a URL such as https://s3.example.com.'],
    ['ftp://s3.example.com', ' is %: use a URL such as https://s3.example.com.'],
    ['ftp://minio', ' is %: use a URL such as https://s3.example.com.'],
    ['https://', ' is %: use a URL such as https://s3.example.com.'],
    ['https://s3.example.com?x=1', ' has a query or a fragment: remove it.'],
    ['https://s3.example.com#x', ' has a query or a fragment: remove it.'],
    ['https://s3.example.com/?', ' has a query or a fragment: remove it.'],
    ['https://s3.example.com/..', ' is %: remove empty, "." and ".." parts and encoded slashes from its path.'],
    [
      'https://s3.example.com/s3/../admin/',
      ' is %: remove empty, "." and ".." parts and encoded slashes from its path.',
    ],
    ['https://s3.example.com/./s3', ' is %: remove empty, "." and ".." parts and encoded slashes from its path.'],
    ['https://s3.example.com//s3', ' is %: remove empty, "." and ".." parts and encoded slashes from its path.'],
    ['https:///s3.example.com/s3', ' is %: use a URL such as https://s3.example.com.'],
    ['https:/s3.example.com', ' is %: use a URL such as https://s3.example.com.'],
    ['https://$' + '{HOST}', ' is %: use a URL such as https://s3.example.com.'],
    ['https://{account}.example.com', ' is %: use a URL such as https://s3.example.com.'],
    ['"https://s3.example.com"', ' is %: use a URL such as https://s3.example.com.'],
    ['https://one.example,https://two.example', ' is %: use a URL such as https://s3.example.com.'],
    ['https://s3.example.com/%2e%2E/s3', ' is %: remove empty, "." and ".." parts and encoded slashes from its path.'],
    [
      'https://s3.example.com/%252e%252e/s3',
      ' is %: remove empty, "." and ".." parts and encoded slashes from its path.',
    ],
    ['https://s3.example.com/..%2fs3', ' is %: remove empty, "." and ".." parts and encoded slashes from its path.'],
    ['https://s3.example.com\\..\\s3', ' is %: remove empty, "." and ".." parts and encoded slashes from its path.'],
    ['https://user:pass@s3.example.com', ' has credentials in it: remove them.'],
  ])('%s is refused', async (endpoint, problem) => {
    expect(await messageOf(resolve({ options: { endpoint } }))).toContain(
      `  - option \`endpoint\`${problem.replace('%', JSON.stringify(endpoint))}`,
    )
  })
})

describe('an endpoint without TLS', () => {
  const warnings = async (endpoint: string) => (await resolve({ options: { endpoint } })).warnings

  it.each([
    'http://s3.example.com',
    'http://s3.example.com:9000/store',
    'HTTP://S3.EXAMPLE.COM',
    'http://8.8.8.8:9000',
    'http://172.15.0.1',
    'http://172.32.0.1',
    'http://192.169.0.1',
    'http://11.0.0.1',
    'http://10.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://internal.example.com',
    'http://[2001:db8::1]:9000',
  ])('%s: a warning, in one line', async (endpoint) => {
    expect(await warnings(endpoint)).toEqual([
      'option `endpoint` begins with http: anyone on the way can read and change your files (your secret key is never sent); ' +
        'use https',
    ])
  })

  it.each([
    'http://localhost:9000',
    'http://s3.localhost:9000',
    'http://127.0.0.1:9000',
    'http://127.8.8.8',
    'http://0x7f.1',
    'http://0.0.0.0:9000',
    'http://[::1]:9000',
    'http://[fd12:3456::1]',
    'http://[fe80::1]',
    'http://10.1.2.3',
    'http://192.168.0.5:9000',
    'http://169.254.1.1',
    'http://172.16.0.1',
    'http://172.31.255.255',
    'http://minio.internal:9000',
    'https://s3.example.com',
    'https://8.8.8.8',
  ])('%s: none, in this machine or its own network, or with TLS', async (endpoint) => {
    expect(await warnings(endpoint)).toEqual([])
  })

  it('is reported under the name of its variable', async () => {
    const { warnings } = await resolveEnv({ AWS_ENDPOINT_URL_S3: 'http://s3.example.com' })
    expect(warnings.join()).toMatch(/^AWS_ENDPOINT_URL_S3 begins with http/)
  })
})

describe('region', () => {
  it.each(['eu-central-1', 'us-gov-west-1', 'cn-north-1', 'ap-southeast-5'])('%s', async (region) => {
    expect((await resolve({ options: { region } })).region).toBe(region)
  })

  it('may be auto with an endpoint', async () => {
    const options = { region: 'auto', endpoint: 'https://s3.example.com' }
    expect((await resolve({ options })).region).toBe('auto')
  })

  it.each(['EU-Central-1', 'eu central 1', 'eu-central-1/', 'eu_central_1'])('%s is refused', async (region) => {
    expect(await messageOf(resolve({ options: { region } }))).toContain(
      `  - option \`region\` is ${JSON.stringify(region)}: use a region such as eu-central-1.`,
    )
  })

  it('may not be auto on AWS, which has no such region', async () => {
    expect(await messageOf(resolve({ options: { region: 'auto' } }))).toContain('  - option `region` ')
  })

  it.each<[endpoint: string, region: string]>([
    ['https://0123.r2.cloudflarestorage.com', 'auto'],
    ['https://0123.eu.r2.cloudflarestorage.com', 'auto'],
    ['https://s3.us-west-004.backblazeb2.com', 'us-west-004'],
    ['https://nyc3.digitaloceanspaces.com/', 'nyc3'],
    ['https://s3.example.com', 'sdk-1'],
    ['https://nyc3.digitaloceanspaces.com.example.com', 'sdk-1'],
  ])('that no setting names is in the host of some stores: %s', async (endpoint, region) => {
    const options = { enabled: true, bucket: 'my-bucket', endpoint, customDomain: 'cdn.example.com' }
    const resolved = await settingsOf(resolveSettings({ ...input({ options }), findRegion: async () => 'sdk-1' }))
    expect(resolved.region).toBe(region)
  })

  it.each<[endpoint: string, region: string, right: string | undefined]>([
    ['https://0123.r2.cloudflarestorage.com', 'eu-central-1', 'auto'],
    ['https://0123.r2.cloudflarestorage.com', 'us-east-1', undefined],
    ['https://0123.r2.cloudflarestorage.com', 'weur', undefined],
    ['https://s3.us-west-004.backblazeb2.com', 'us-west-2', 'us-west-004'],
    ['https://s3.us-west-004.backblazeb2.com', 'us-west-004', undefined],
    ['https://nyc3.digitaloceanspaces.com', 'us-east-1', undefined],
  ])('of another store than %s is refused: %s', async (AWS_S3_ENDPOINT_URL, AWS_REGION, right) => {
    const message = await messageOf(
      resolveEnv({ AWS_S3_ENDPOINT_URL, AWS_REGION, AWS_S3_CUSTOM_DOMAIN: 'cdn.example.com' }),
    )
    const problem = `AWS_REGION is "${AWS_REGION}": set AWS_S3_REGION_NAME to "${right}", the region of `
    expect(message.includes(problem)).toBe(right !== undefined)
    expect(message === 'no error').toBe(right === undefined)
  })

  it('comes from the SDK, by profile, only if no setting names it', async () => {
    const asked: (string | undefined)[] = []
    const findRegion = async (profile: string | undefined) => {
      asked.push(profile)
      return 'eu-north-1'
    }
    const options = { enabled: true, bucket: 'my-bucket' }
    await resolveSettings({ ...input({ options, shell: { AWS_REGION: 'eu-west-1' } }), findRegion })
    expect(asked).toEqual([])
    const found = await settingsOf(resolveSettings({ ...input({ options }), findRegion }))
    expect(found).toMatchObject({
      region: 'eu-north-1',
      publicUrl: 'https://my-bucket.s3.eu-north-1.amazonaws.com/static/',
    })
    await resolveSettings({ ...input({ options, files: { AWS_PROFILE: 'work' } }), findRegion })
    expect(asked).toEqual([undefined, 'work'])
  })

  it('does not come from the SDK if there are problems', async () => {
    const findRegion = () => Promise.reject(new Error('asked'))
    expect(await messageOf(resolveSettings({ ...input({ options: { enabled: true } }), findRegion }))).toContain(
      'AWS_STORAGE_BUCKET_NAME is not set',
    )
  })
})

describe('credentials', () => {
  const pair = (id: string, prefix = 'AWS_') => ({
    [`${prefix}ACCESS_KEY_ID`]: id,
    [`${prefix}SECRET_ACCESS_KEY`]: `secret of ${id}`,
  })
  const keys = (id: string, sessionToken?: string) => ({
    accessKeyId: id,
    secretAccessKey: `secret of ${id}`,
    sessionToken,
  })

  it.each<[what: string, shell: Variables, files: Variables, source: Settings['credentials']]>([
    ['nothing: the chain', {}, {}, undefined],
    ["the shell's own", pair('SHELL'), {}, keys('SHELL')],
    ["the shell's own and a profile: the chain", { ...pair('SHELL'), AWS_PROFILE: 'dev' }, {}, undefined],
    ["the shell's own beat those of a .env file", pair('SHELL'), pair('FILE'), keys('SHELL')],
    ["the shell's own beat AWS_S3_ ones of a .env file", pair('SHELL'), pair('FILE', 'AWS_S3_'), keys('SHELL')],
    ["the shell's AWS_S3_ ones: handed over", pair('SHELL', 'AWS_S3_'), {}, keys('SHELL')],
    ['AWS_S3_ ones beat the others', { ...pair('S3', 'AWS_S3_'), ...pair('AWS') }, {}, keys('S3')],
    ['those of a .env file: handed over', {}, pair('FILE'), keys('FILE')],
    ['AWS_S3_ ones of a .env file: handed over', {}, pair('FILE', 'AWS_S3_'), keys('FILE')],
    ['with a session token', {}, { ...pair('FILE'), AWS_SESSION_TOKEN: 'token' }, keys('FILE', 'token')],
    [
      "with a session token under django-storages' name",
      {},
      { ...pair('FILE'), AWS_SECURITY_TOKEN: 'token' },
      keys('FILE', 'token'),
    ],
    ["not with the shell's session token", { AWS_SESSION_TOKEN: 'other' }, pair('FILE'), keys('FILE')],
    ['an empty pair is none', { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }, pair('FILE'), keys('FILE')],
    ['a profile in the shell', { AWS_PROFILE: 'work' }, {}, { profile: 'work' }],
    ['a profile in a .env file', {}, { AWS_PROFILE: 'work' }, { profile: 'work' }],
    ["django-storages' name for a profile", {}, { AWS_S3_SESSION_PROFILE: 'work' }, { profile: 'work' }],
    ["the shell's profile beats keys of a .env file", { AWS_PROFILE: 'work' }, pair('FILE'), { profile: 'work' }],
    ['keys beat a profile', {}, { ...pair('FILE'), AWS_PROFILE: 'work' }, keys('FILE')],
    [
      "the shell's web identity (OIDC) beats keys of a .env file",
      { AWS_WEB_IDENTITY_TOKEN_FILE: '/token', AWS_ROLE_ARN: 'arn' },
      pair('FILE'),
      undefined,
    ],
    [
      "the shell's container role beats keys of a .env file",
      { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/x' },
      pair('FILE'),
      undefined,
    ],
  ])('%s', async (_what, shell, files, source) => {
    expect((await resolveEnv(shell, files)).credentials).toEqual(source)
  })

  it.each<[shell: Variables, files: Variables, problem: string]>([
    [{ AWS_ACCESS_KEY_ID: 'AKIA' }, {}, 'AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY: set both, or neither'],
    [
      { AWS_SECRET_ACCESS_KEY: 'hush' },
      {},
      'AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID: set both, or neither',
    ],
    [
      { AWS_S3_ACCESS_KEY_ID: 'AKIA' },
      {},
      'AWS_S3_ACCESS_KEY_ID is set without AWS_S3_SECRET_ACCESS_KEY: set both, or neither',
    ],
    [
      { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: '' },
      {},
      'AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY',
    ],
    [
      {},
      { AWS_SECRET_ACCESS_KEY: 'hush' },
      'AWS_SECRET_ACCESS_KEY is set in a .env file without AWS_ACCESS_KEY_ID: set both, or neither',
    ],
    [
      {},
      { AWS_S3_SECRET_ACCESS_KEY: 'hush' },
      'AWS_S3_SECRET_ACCESS_KEY is set in a .env file without AWS_S3_ACCESS_KEY_ID',
    ],
  ])('half a pair: %j %j', async (shell, files, problem) => {
    const message = await messageOf(resolveEnv(shell, files))
    expect(message).toContain(`static-s3: a setting is wrong\n  - ${problem}`)
    expect(message).not.toContain('hush')
    expect(message).not.toContain('AKIA')
  })
})

describe('secrets of .env files', () => {
  const value = 'd8f1-4b7e-9a2c'

  it('are in the settings, without those that allowSecrets names', async () => {
    const files = { SENTRY_AUTH_TOKEN: value, DB_PASSWORD: 'hunter2hunter2', MAPS_TOKEN: 'sk.12345678' }
    const named = (settings: Settings) => settings.secrets.map(({ name }) => name)
    expect(named(await resolve({ files }))).toEqual(['SENTRY_AUTH_TOKEN', 'DB_PASSWORD', 'MAPS_TOKEN'])
    for (const [allowSecrets, left] of [
      [['MAPS_TOKEN', 'DB_PASSWORD'], ['SENTRY_AUTH_TOKEN']],
      ['MAPS_TOKEN', ['SENTRY_AUTH_TOKEN', 'DB_PASSWORD']],
      [['NOT_THERE'], ['SENTRY_AUTH_TOKEN', 'DB_PASSWORD', 'MAPS_TOKEN']],
      [['maps_token'], ['SENTRY_AUTH_TOKEN', 'DB_PASSWORD', 'MAPS_TOKEN']],
      [[], ['SENTRY_AUTH_TOKEN', 'DB_PASSWORD', 'MAPS_TOKEN']],
    ]) {
      expect(named(await resolve({ options: { allowSecrets }, files }))).toEqual(left)
    }
  })

  it.each([5, true, { MAPS_TOKEN: value }, [value, 5], ['hush-hush value'], ''])(
    'allowSecrets: %j is refused, and its value is not shown',
    async (allowSecrets) => {
      const message = await messageOf(resolve({ options: { allowSecrets } }))
      expect(message).toContain('  - option `allowSecrets` is no list of variable names')
      expect(message).not.toMatch(/hush|d8f1/)
    },
  )

  it('are in no problem of another setting', async () => {
    const message = await messageOf(resolve({ options: { concurrency: 0 }, files: { DB_PASSWORD: value } }))
    expect(message).toContain('concurrency')
    expect(message).not.toContain(value)
  })
})

describe('no message shows a secret', () => {
  const key = { AWS_ACCESS_KEY_ID: 'minio-user', AWS_SECRET_ACCESS_KEY: 'hush-hush-hush-hush' }

  it.each<[what: string, given: Given]>([
    ['as an option that is none', { options: { secretAccessKey: 'hush-hush' } }],
    ['beside other problems', { options: { concurrency: 0 }, files: { AWS_SECRET_ACCESS_KEY: 'hush-hush' } }],
    ...[
      ...['https://user:hush-hush@s3.example.com', 'ftp://user:hush-hush@s3.example.com'],
      ...['https://user:hush-hush@s3.example.com:port', 'http:/user:hush-hush@host', '///user:hush-hush@host'],
      ...['http:\\\\user:hush-hush@host', 'user:hush-hush@host', 'https://user:hush/hush@host', 'https://u:hush?@host'],
      ...['https://user:12/hush-hush@host', 'https://user:hush-hush%40host', 'https://s3.example.com/?sig=hush-hush'],
      ...['https://s3.example.com?hush-hush', 'https://s3.example.com#hush-hush', 'https://:hush-hush@host'],
      ...['"https://user:hush-hush@host"', '$' + '{URL}?sig=hush-hush', '//hush-hush@host', 'hush-hush@host'],
    ].flatMap((url): [string, Given][] => [
      [`in the endpoint ${url}`, { options: { endpoint: url } }],
      [`in the domain ${url}`, { options: { customDomain: url } }],
    ]),
    ...['https://user:hush-hush@bucket.example.com/x', 's3://bucket/static?token=hush-hush'].flatMap(
      (url): [string, Given][] => [
        [`in the bucket ${url}`, { options: { bucket: url } }],
        [`in the location ${url}`, { shell: { AWS_LOCATION: url } }],
        [`in the region ${url}`, { shell: { AWS_REGION: url } }],
        [`in a word ${url}`, { shell: { USE_S3: url }, options: { enabled: undefined } }],
      ],
    ),
    ['in parameters', { options: { objectParameters: { SSECustomerKey: 'hush-hush' } } }],
    [
      'that is in use, in parameters',
      { shell: key, options: { objectParameters: { Metadata: { a: key.AWS_SECRET_ACCESS_KEY } } } },
    ],
    [
      'that is in use, in a rule',
      { shell: key, options: { rules: [{ match: '*', tagging: `a=${key.AWS_SECRET_ACCESS_KEY}` }] } },
    ],
    [
      'that is in use, in JSON',
      { shell: { ...key, AWS_S3_OBJECT_PARAMETERS: `{"StorageClass":"${key.AWS_SECRET_ACCESS_KEY}"}` } },
    ],
  ])('%s', async (_what, given) => {
    const message = await messageOf(resolve(given))
    expect(message).toContain('static-s3: ')
    expect(message).not.toContain('hush')
  })

  const pasted = {
    'the secret in use': key.AWS_SECRET_ACCESS_KEY,
    "AWS's example secret": 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }
  const settings: [name: string, given: (value: string) => Given][] = [
    ...(['bucket', 'location', 'region', 'customDomain', 'endpoint', 'addressingStyle', 'acl', 'force'] as const).map(
      (option): [string, (value: string) => Given] => [option, (value) => ({ options: { [option]: value } })],
    ),
    ...[
      'USE_S3',
      'AWS_LOCATION',
      'AWS_REGION',
      'AWS_S3_FILE_OVERWRITE',
      'AWS_QUERYSTRING_AUTH',
      'STATIC_S3_CONCURRENCY',
    ].map((name): [string, (value: string) => Given] => [
      name,
      (value) => ({ shell: { [name]: value }, options: { enabled: name === 'USE_S3' ? undefined : true } }),
    ]),
  ]

  it.each(settings)('a key pasted into %s is refused and not shown', async (name, given) => {
    for (const [what, value] of [...Object.entries(pasted), ['a key id', 'AKIAIOSFODNN7EXAMPLE'] as const]) {
      const { options, shell } = given(value)
      const message = await messageOf(resolve({ options: { ...options }, shell: { ...key, ...shell } }))
      expect(message, what).toMatch(
        new RegExp(`static-s3: a setting is wrong\n  - (option \`)?${name}\`? contains an access key: remove it\\.$`),
      )
      expect(message, what).not.toContain(value)
    }
  })

  it.each([
    '0123456789abcdef0123456789abcdef01234567',
    'static/Website2026/Releases/Production01',
    'minio-user-static',
    'feature/login-with-a-long-name-of-forty-x',
  ])('a location that is no key is accepted: %s', async (location) => {
    expect((await resolve({ options: { location }, shell: key })).location).toBe(location)
  })

  it('a short secret of a test server may be part of a setting by chance', async () => {
    const shell = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_LOCATION: 'test-files' }
    expect((await resolve({ shell })).location).toBe('test-files')
  })
})

describe('names that static-s3 does not read', () => {
  it.each<[name: string, value: string, instead: string]>([
    ['AWS_S3_HOST', 's3.eu-central-1.amazonaws.com', 'AWS_S3_ENDPOINT_URL'],
    ['AWS_S3_ENDPOINT', 'https://s3.example.com', 'AWS_S3_ENDPOINT_URL'],
    ['AWS_HEADERS', '{"Cache-Control": "max-age=86400"}', 'AWS_S3_OBJECT_PARAMETERS'],
    ['STATICFILES_LOCATION', 'assets', 'AWS_LOCATION'],
    ['AWS_STATIC_DIR', 'assets', 'AWS_LOCATION'],
    ['AWS_ACCESS_KEY', 'hush', 'AWS_ACCESS_KEY_ID'],
    ['AWS_SECRET_KEY', 'hush', 'AWS_SECRET_ACCESS_KEY'],
    ['AWS_S3_SECURE_URLS', 'False', 'AWS_S3_URL_PROTOCOL'],
    ['AWS_S3_REGION', 'eu-central-1', 'AWS_S3_REGION_NAME'],
    ['AWS_CLOUDFRONT_DOMAIN', 'd1.cloudfront.net', 'AWS_S3_CUSTOM_DOMAIN'],
    ['AWS_S3_CALLING_FORMAT', 'boto.s3.connection.OrdinaryCallingFormat', 'AWS_S3_ADDRESSING_STYLE'],
    ['AWS_BUCKET_ACL', 'public-read', 'AWS_DEFAULT_ACL'],
  ])('%s=%s: a hint', async (name, value, instead) => {
    const { warnings } = await resolve({ files: { [name]: value } })
    expect(warnings).toEqual([`${name} is not read: the name here is ${instead}`])
  })

  it.each<[name: string, value: string, more: Variables]>([
    ['STATICFILES_LOCATION', 'static', {}],
    ['STATICFILES_LOCATION', 'assets', { AWS_LOCATION: '' }],
    ['AWS_S3_REGION', 'eu-central-1', { AWS_REGION: 'eu-west-1' }],
    ['AWS_S3_SECURE_URLS', 'True', {}],
    ['AWS_ACCESS_KEY', 'hush', { AWS_PROFILE: 'work' }],
    ['AWS_S3_HOST', '', {}],
    ['AWS_BUCKET', 'other-bucket', {}],
    ['AWS_REDUCED_REDUNDANCY', 'False', {}],
    ['AWS_ENDPOINT_URL_STS', 'https://sts.example.com', {}],
  ])('%s=%s with %j: none', async (name, value, more) => {
    expect((await resolve({ shell: { [name]: value, ...more } })).warnings).toEqual([])
  })

  it('are told beside the setting that is missing', async () => {
    const message = await messageOf(resolve({ options: { bucket: undefined }, shell: { AWS_BUCKET: 'my-bucket' } }))
    expect(message).toBe(
      "static-s3: a setting is wrong\n  - AWS_STORAGE_BUCKET_NAME is not set: set it, or option `bucket`, to the bucket's name.\n" +
        '  - AWS_BUCKET is not read: the name here is AWS_STORAGE_BUCKET_NAME.',
    )
  })
})

describe('STATIC_URL', () => {
  const publicUrl = 'https://my-bucket.s3.us-east-1.amazonaws.com/static/'

  it.each([publicUrl, publicUrl.slice(0, -1), publicUrl.replace('https:', ''), ''])(
    '%s: no hint',
    async (STATIC_URL) => {
      expect((await resolveEnv({ STATIC_URL })).warnings).toEqual([])
    },
  )

  it.each(['/static/', 'https://my-bucket.s3.amazonaws.com/static/', 'https://cdn.example.com/'])(
    '%s: the difference',
    async (STATIC_URL) => {
      expect((await resolveEnv({ STATIC_URL })).warnings).toEqual([
        `STATIC_URL is "${STATIC_URL}": but the build's URLs begin with ${publicUrl}`,
      ])
    },
  )

  it('shows no credentials', async () => {
    const { warnings } = await resolveEnv({ STATIC_URL: 'https://user:hush@cdn.example.com/?sig=hush' })
    expect(warnings.join()).toMatch(/^STATIC_URL is "\*\*\*@cdn/)
    expect(warnings.join()).not.toContain('hush')
  })
})

describe('options of the command', () => {
  it('are named as its flags', async () => {
    const options = { enabled: true, location: '..', objectParameters: { Body: 'x' }, addressingStyle: 'none' }
    const nameOption = (option: string) => `--${option.toLowerCase()}`
    const message = await messageOf(resolveSettings({ ...input({ options }), nameOption }))
    expect(message.split('\n').slice(1)).toEqual([
      "  - AWS_STORAGE_BUCKET_NAME is not set: set it, or --bucket, to the bucket's name.",
      '  - --location is "..": remove empty, "." and ".." parts.',
      '  - --addressingstyle is "none": use one of "auto", "path", "virtual".',
      '  - --objectparameters.Body is no PutObject parameter for many files: remove it.',
    ])
  })
})

describe("the SDK's endpoint", () => {
  const shared = { AWS_ENDPOINT_URL: 'https://shared.example.com' }
  const own = { AWS_S3_ENDPOINT_URL: 'https://own.example.com' }
  const profile = { ignored: false, url: 'https://profile.example.com' }

  it.each<[what: string, shell: Variables, configured: ConfiguredEndpoint, endpoint: string | undefined]>([
    ["the profile's, if no variable names one", {}, profile, profile.url],
    ["a variable's before the profile's", shared, profile, shared.AWS_ENDPOINT_URL],
    ["static-s3's own before both", { ...shared, ...own }, profile, own.AWS_S3_ENDPOINT_URL],
    ['none, if the profile ignores them', shared, { ...profile, ignored: true }, undefined],
    [
      'none, if a variable ignores them',
      { ...shared, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' },
      profile,
      undefined,
    ],
    [
      "static-s3's own, whatever is ignored",
      { ...own, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' },
      profile,
      own.AWS_S3_ENDPOINT_URL,
    ],
  ])('%s', async (_what, shell, configured, endpoint) => {
    const given = input({ options: { enabled: true, bucket: 'my-bucket' }, shell })
    const resolved = await settingsOf(resolveSettings({ ...given, findEndpoint: async () => configured }))
    expect(resolved.endpoint).toBe(endpoint)
  })

  it('is looked for in the profile of any source, and checked like a setting', async () => {
    const asked: unknown[] = []
    const findEndpoint = async (name: string | undefined) => {
      asked.push(name)
      return { ignored: false, url: 'minio' }
    }
    const given = input({ options: { enabled: true, bucket: 'my-bucket' }, files: { AWS_S3_SESSION_PROFILE: 'work' } })
    expect(await messageOf(resolveSettings({ ...given, findEndpoint }))).toContain(
      '  - the profile\'s endpoint_url is "minio": use a URL such as https://s3.example.com.',
    )
    expect(asked).toEqual(['work'])
  })
})

describe('values from Django projects', () => {
  it.each([
    'AWS_S3_CUSTOM_DOMAIN',
    'AWS_LOCATION',
    'AWS_S3_ENDPOINT_URL',
    'AWS_S3_REGION_NAME',
    'AWS_QUERYSTRING_AUTH',
    'AWS_S3_SIGNATURE_VERSION',
    'AWS_S3_VERIFY',
    'AWS_DEFAULT_ACL',
    'AWS_S3_OBJECT_PARAMETERS',
    'AWS_S3_URL_PROTOCOL',
  ])('%s=None is not set', async (variable) => {
    expect(await resolveEnv({ [variable]: 'None' })).toEqual(await resolveEnv({}))
  })

  it.each(['False', 'cdn', 'static'])('AWS_S3_CUSTOM_DOMAIN=%s is no domain', async (value) => {
    expect(await messageOf(resolveEnv({ AWS_S3_CUSTOM_DOMAIN: value }))).toContain(': use a domain such as')
  })
})

describe('an endpoint', () => {
  const bucket = { AWS_STORAGE_BUCKET_NAME: 'my-bucket' }

  it.each([
    'https://my-bucket.nyc3.digitaloceanspaces.com',
    'https://my-bucket.s3.eu-central-1.amazonaws.com',
    'https://store.example.com/my-bucket',
    'https://store.example.com/s3/my-bucket/',
  ])('with the bucket in it is refused: %s', async (AWS_S3_ENDPOINT_URL) => {
    expect(await messageOf(resolveEnv({ ...bucket, AWS_S3_ENDPOINT_URL }))).toContain(
      ": remove the bucket's name from it",
    )
  })

  it.each<[bucket: string, endpoint: string, warnings: string[]]>([
    ['storage', 'https://abc.supabase.co/storage/v1/s3', []],
    ['media', 'https://store.example.com/media/s3', []],
    ['nyc3', 'https://nyc3.digitaloceanspaces.com', ['remove "nyc3." if it stands for the bucket']],
    ['media', 'https://media.example.com', ['remove "media." if it stands for the bucket']],
    ['media', 'https://media-2.example.com', []],
  ])("whose own name has the bucket's: %s at %s", async (name, endpoint, remedies) => {
    const { warnings } = await resolve({ options: { bucket: name, endpoint } })
    expect(warnings).toEqual(remedies.map((remedy) => `option \`endpoint\` is "${endpoint}": ${remedy}`))
  })

  it.each<[endpoint: string, problem: string]>([
    ['https://my-bucket.s3-website-us-east-1.amazonaws.com', 'because website endpoints have no HTTPS'],
    ['http://s3-website.eu-central-1.amazonaws.com', 'because website endpoints have no HTTPS'],
    ['https://s3-accelerate.amazonaws.com', 'would pass through Transfer Acceleration too'],
    ['https://my-bucket.s3-accelerate.dualstack.amazonaws.com', 'would pass through Transfer Acceleration too'],
    ['https://s3express-usw2-az1.us-west-2.amazonaws.com', 'browsers cannot read a directory bucket (S3 Express)'],
    ['https://site--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com', 'use a general purpose bucket'],
    ['https://pub-1.r2.dev', 'make it AWS_S3_CUSTOM_DOMAIN'],
    ['https://d111111abcdef8.cloudfront.net', 'make it AWS_S3_CUSTOM_DOMAIN'],
    ['https://nyc3.cdn.digitaloceanspaces.com', 'make it AWS_S3_CUSTOM_DOMAIN'],
    ['https://my-bucket.nyc3.cdn.digitaloceanspaces.com', 'make it AWS_S3_CUSTOM_DOMAIN'],
    ['https://f004.backblazeb2.com', "use the bucket's S3 endpoint"],
    ['https://api.backblazeb2.com', "use the bucket's S3 endpoint"],
    ['https://storage.cloud.google.com', 'use https://storage.googleapis.com'],
  ])('that is no API is refused: %s', async (endpoint, problem) => {
    const message = await messageOf(resolveEnv({ ...bucket, AWS_S3_ENDPOINT_URL: endpoint }))
    expect(message).toContain(`  - AWS_S3_ENDPOINT_URL is "${endpoint}": `)
    expect(message).toContain(problem)
  })

  it.each([
    'http://minio:9000',
    'https://minio',
    'http://host.docker.internal:9000',
    'http://minio.storage.svc.cluster.local',
    'http://minio.storage.svc:9000',
  ])('that browsers do not know needs a custom domain: %s', async (AWS_S3_ENDPOINT_URL) => {
    const { hostname } = new URL(AWS_S3_ENDPOINT_URL)
    expect((await resolveEnv({ AWS_S3_ENDPOINT_URL })).warnings).toEqual([
      `AWS_S3_ENDPOINT_URL is "${AWS_S3_ENDPOINT_URL}": no browser outside of that network knows ${hostname}; set AWS_S3_CUSTOM_DOMAIN`,
    ])
    const known = { AWS_S3_ENDPOINT_URL, AWS_S3_CUSTOM_DOMAIN: 'http://localhost:9000/my-bucket' }
    expect((await resolveEnv(known)).warnings).toEqual([])
  })

  it.each<[domain: string, endpoint: string, remedy: string | undefined]>([
    ['http://localhost:9000', 'http://localhost:9000', 'localhost:9000/my-bucket'],
    ['storage.googleapis.com', 'https://storage.googleapis.com', 'storage.googleapis.com/my-bucket'],
    ['storage.googleapis.com/my-bucket', 'https://storage.googleapis.com', undefined],
    ['localhost:9001', 'http://localhost:9000', undefined],
    ['s3.example.com', 'https://s3.example.com/gateway', undefined],
  ])(
    "whose host is the custom domain too needs the bucket's name there: %s at %s",
    async (domain, endpoint, remedy) => {
      const found = await resolveEnv({ ...bucket, AWS_S3_ENDPOINT_URL: endpoint, AWS_S3_CUSTOM_DOMAIN: domain })
      expect(found.warnings).toEqual(
        remedy
          ? [
              `AWS_S3_ENDPOINT_URL is "${endpoint}": its visitors need the bucket's name: set AWS_S3_CUSTOM_DOMAIN to ${remedy}`,
            ]
          : [],
      )
    },
  )

  it('of R2 needs a custom domain, because it serves no visitors', async () => {
    const r2 = { ...bucket, AWS_S3_ENDPOINT_URL: 'https://0123.r2.cloudflarestorage.com' }
    expect(await messageOf(resolveEnv(r2))).toContain('set AWS_S3_CUSTOM_DOMAIN')
    const { publicUrl } = await resolveEnv({ ...r2, AWS_S3_CUSTOM_DOMAIN: 'pub-1.r2.dev' })
    expect(publicUrl).toBe('https://pub-1.r2.dev/static/')
  })
})

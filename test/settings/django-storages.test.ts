import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Variables } from '../../src/settings/environment.js'
import { resolveSettings } from '../../src/settings/settings.js'

// The table of docs/from-django.md is complete and true: each of django-storages' S3 settings is set, and its row says what happens.

/** The S3 settings of django-storages 1.14.6, with a value unlike the default, and other variables that give it a meaning. */
const settings: Record<string, [value: string, others?: Variables]> = {
  AWS_ACCESS_KEY_ID: ['id', { AWS_SECRET_ACCESS_KEY: 'secret' }],
  AWS_SECRET_ACCESS_KEY: ['secret', { AWS_ACCESS_KEY_ID: 'id' }],
  AWS_S3_ACCESS_KEY_ID: ['id', { AWS_S3_SECRET_ACCESS_KEY: 'secret' }],
  AWS_S3_SECRET_ACCESS_KEY: ['secret', { AWS_S3_ACCESS_KEY_ID: 'id' }],
  AWS_SESSION_TOKEN: ['token', { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }],
  AWS_SECURITY_TOKEN: ['token', { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }],
  AWS_S3_SESSION_PROFILE: ['work'],
  AWS_STORAGE_BUCKET_NAME: ['other-bucket'],
  AWS_LOCATION: ['site'],
  AWS_S3_REGION_NAME: ['eu-central-1'],
  AWS_S3_CUSTOM_DOMAIN: ['cdn.example.com'],
  AWS_S3_URL_PROTOCOL: ['http:'],
  AWS_S3_ENDPOINT_URL: ['https://s3.example.com'],
  AWS_S3_ADDRESSING_STYLE: ['path'],
  AWS_DEFAULT_ACL: ['public-read'],
  AWS_S3_OBJECT_PARAMETERS: ['{"StorageClass": "STANDARD_IA"}'],
  AWS_S3_FILE_OVERWRITE: ['False'],
  AWS_IS_GZIPPED: ['True'],
  AWS_QUERYSTRING_AUTH: ['True'],
  AWS_S3_SIGNATURE_VERSION: ['s3'],
  AWS_S3_VERIFY: ['False'],
  AWS_S3_USE_SSL: ['False'],
  AWS_QUERYSTRING_EXPIRE: ['60'],
  AWS_CLOUDFRONT_KEY_ID: ['id'],
  AWS_CLOUDFRONT_KEY: ['key'],
  GZIP_CONTENT_TYPES: ['text/css'],
  AWS_S3_PROXIES: ['{}'],
  AWS_S3_FILE_NAME_CHARSET: ['latin-1'],
  AWS_S3_MAX_MEMORY_SIZE: ['1000'],
  AWS_S3_FILE_BUFFER_SIZE: ['1000'],
  AWS_S3_USE_THREADS: ['False'],
  AWS_S3_TRANSFER_CONFIG: ['x'],
  AWS_S3_CLIENT_CONFIG: ['x'],
}

const page = readFileSync(join(import.meta.dirname, '../../docs/from-django.md'), 'utf8')
const rows = [...(page.split('## The settings')[1] ?? '').matchAll(/^\| (`.*?) \| (honoured|refused|ignored)\b/gm)]
const documented = rows.flatMap(([, names = '', verdict = '']) =>
  [...names.matchAll(/`(\w+)`/g)].map(([, name = '']): [string, string] => [name, verdict]),
)

/** Without warnings. */
async function resolve(variables: Variables): Promise<unknown> {
  const all = { AWS_STORAGE_BUCKET_NAME: 'my-bucket', USE_S3: '1', ...variables }
  const resolved = await resolveSettings({
    options: {},
    environment: { shell: all, files: {}, all },
    build: { watch: false, whyNotProduction: undefined, mode: 'production' },
    findRegion: async () => 'us-east-1',
    findEndpoint: async () => ({ ignored: false }),
  })
  return { ...(resolved.on ? resolved.settings : resolved), warnings: [] }
}

describe("django-storages' settings", () => {
  it('each has one row, and there is no other row', () => {
    expect(documented.map(([name]) => name).sort()).toEqual(Object.keys(settings).sort())
  })

  it.each(documented)('%s is %s', async (name, verdict) => {
    const [value, others = {}] = settings[name] ?? ['']
    const resolved = resolve({ ...others, [name]: value })
    if (verdict === 'refused') await expect(resolved).rejects.toThrow(`${name} is "${value}"`)
    // Half a pair of keys is a problem.
    else if (verdict === 'honoured') expect(await resolved).not.toEqual(await resolve(others).catch(() => undefined))
    else expect(await resolved).toEqual(await resolve(others))
  })
})

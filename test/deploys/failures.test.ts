import { spawnSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { buildViteHere } from '../../fixtures/build/in-process.js'
import { buildVite, copyApp, readTree } from '../../fixtures/build/index.js'
import { siteObjects, writes } from '../../fixtures/build/site.js'
import { type EmbeddedS3, startEmbedded } from '../../fixtures/s3/index.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'

let s3: EmbeddedS3
let bucket: string

withBucket((target) => {
  ;({ s3, bucket } = target)
})

/** A Vite config with these options and plugins before ours. */
const viteConfig = (options = '', plugins = '') => ({
  'vite.config.js': `import { staticS3 } from 'static-s3/vite'
export default { build: { emptyOutDir: false }, plugins: [${plugins}staticS3(${options})] }
`,
})

test('onError: warn lets the build pass, with the same message as a warning, and says what the pages lack', async () => {
  const files = viteConfig("{ onError: 'warn' }")
  const { code, output } = await buildViteHere('legacy', { files, env: deployEnv(s3, 'not-there') })
  expect(output).toMatch(/static-s3: LIST .*\(NoSuchBucket\)/)
  expect(output).toMatch(
    /its pages point to http:.*not-there\/static\/, where files of this build are missing: do not publish them/,
  )
  expect(code).toBe(0)
})

test('a file with a credential in use stops the deploy before the first byte leaves', async () => {
  const { accessKeyId, secretAccessKey } = s3.credentials
  const { code, output } = await buildViteHere('legacy', {
    files: {
      ...viteConfig(),
      'public/settings.json': JSON.stringify({ secretAccessKey }),
      'public/docs/note.txt': accessKeyId,
    },
    env: deployEnv(s3, bucket),
  })
  expect(code).toBe(1)
  expect(output).toMatch('docs/note.txt contains the access key id in use')
  expect(output).toMatch('settings.json contains the secret access key in use')
  expect(output).not.toMatch(secretAccessKey)
  expect(output).not.toMatch(accessKeyId)
  expect(writes(s3)).toEqual([])
})

describe('what S3 says no to has its own sentence with the remedy', () => {
  const refusals: [name: string, env: () => Record<string, string | undefined>, says: RegExp, prepare?: () => void][] =
    [
      [
        'a bucket that is not there',
        () => ({ AWS_STORAGE_BUCKET_NAME: 'not-there' }),
        /NoSuchBucket.*AWS_STORAGE_BUCKET_NAME/,
      ],
      ['an unknown key', () => ({ AWS_ACCESS_KEY_ID: 'AKIAUNKNOWN000000000' }), /InvalidAccessKeyId/],
      ['a wrong secret', () => ({ AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) }), /SignatureDoesNotMatch/],
      ['a wrong region', () => ({ AWS_S3_REGION_NAME: 'eu-central-1' }), /AWS_S3_REGION_NAME.*us-east-1/],
      [
        'an expired session',
        () => {
          const { accessKeyId, secretAccessKey, sessionToken } = s3.server.session(-60)
          return {
            AWS_ACCESS_KEY_ID: accessKeyId,
            AWS_SECRET_ACCESS_KEY: secretAccessKey,
            AWS_SESSION_TOKEN: sessionToken,
          }
        },
        /ExpiredToken/,
      ],
      ['an ACL', () => ({ AWS_DEFAULT_ACL: 'public-read' }), /AccessControlListNotSupported.*AWS_DEFAULT_ACL/],
      [
        'a user without rights',
        () => ({ AWS_ACCESS_KEY_ID: s3.other.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.other.secretAccessKey }),
        /s3:ListBucket.*AccessDenied/,
      ],
      [
        'no credentials',
        () => ({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined }),
        /no AWS credentials were found/,
      ],
      [
        'an unknown profile',
        () => ({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_PROFILE: 'nobody' }),
        /profile "?nobody/,
      ],
      ['no server', () => ({ AWS_S3_ENDPOINT_URL: 'http://127.0.0.1:1' }), /ECONNREFUSED.*AWS_S3_ENDPOINT_URL/],
    ]

  /** Two print all that Vite prints, of an error early and late in the build. */
  const byCommand = ['a bucket that is not there', 'an ACL']

  test.each(refusals)('%s', async (name, env, says) => {
    const build = byCommand.includes(name) ? buildVite : buildViteHere
    const { code, output } = await build('legacy', {
      files: viteConfig(),
      env: { ...deployEnv(s3, bucket), ...env() },
    })
    expect(code).toBe(1)
    expect(output.replaceAll('\n', ' ')).toMatch(says)
    for (const secret of [s3.credentials.secretAccessKey, s3.credentials.accessKeyId, 'Signature='])
      expect(output).not.toContain(secret)
    if (byCommand.includes(name)) {
      expect(output).not.toMatch(/^\s+at /m)
      // One message, and nothing that Vite would add of the error's properties.
      expect(output.slice(output.indexOf('static-s3: '))).not.toMatch(/PLUGIN_ERROR|closeBundle|\{\n/)
    }
    // The lock may have been taken already, and given up, and backups go up first; the rest was not even tried.
    const isGivenUp = (key: string, body: Buffer) => key.endsWith('.lock') && body.length === 0
    const left = [...s3.server.objects(bucket)].filter(([key, { body }]) => !isGivenUp(key, body))
    expect(left.map(([key]) => key).filter((key) => !key.startsWith('.static-s3/static/objects/'))).toEqual([])
  })
})

test('a clock that is an hour off is made up for', async () => {
  let ahead = 0
  const later = await startEmbedded({ now: () => new Date(Date.now() + ahead) })
  try {
    const name = await later.createBucket()
    ahead = 3_600_000
    const { code, output } = await buildViteHere('legacy', { files: viteConfig(), env: deployEnv(later, name) })
    expect(code, output).toBe(0)
    expect(later.server.requests.some((request) => request.code === 'RequestTimeTooSkewed')).toBe(true)
    expect(siteObjects(later, name).size).toBeGreaterThan(4)
  } finally {
    await later.close()
  }
})

test('all wrong settings are reported at once, before the build', async () => {
  const files = viteConfig("{ buckets: 'x', concurrency: 0 }")
  const { code, output } = await buildVite('legacy', {
    files,
    env: {
      USE_S3: 'yes',
      AWS_LOCATION: 'static/../admin',
      AWS_S3_OBJECT_PARAMETERS: "{'CacheControl': 'x'}",
      AWS_QUERYSTRING_AUTH: 'True',
    },
  })
  expect(code).toBe(1)
  for (const line of [
    /option `buckets` is unknown: did you mean `bucket`\?/,
    /AWS_STORAGE_BUCKET_NAME is not set/,
    /option `concurrency` is 0: use a whole number from 1 to 256/,
    /AWS_LOCATION is "[^"]+": remove empty, "\." and "\.\." parts/,
    /AWS_S3_OBJECT_PARAMETERS is no JSON object/,
    /AWS_QUERYSTRING_AUTH is "[^"]+": turn it off/,
  ]) {
    expect(output).toMatch(line)
  }
  expect(s3.server.requests).toEqual([])
})

// What the plugin itself writes is longer than what it replaces: by the URLs of pictures in a web app manifest, and of files in a service
// worker's precache list. Where nobody may mount a small disk, a limit for the size of files ends the same write at the same place.
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0
const inShell = (script: string) => ['sh', '-c', script, 'sh']
const disks = [
  {
    title: `a full disk${canMount ? '' : ' (SKIPPED: unshare -rm can mount no tmpfs here)'}`,
    available: canMount,
    code: 'ENOSPC',
    under: [
      ...['unshare', '-rm'],
      // The disk is gone when the last process of its namespace is.
      ...inShell('mount -t tmpfs -o size=2m none disk && "$@"; code=$?; cp -R disk/dist after; exit $code'),
    ],
  },
  {
    title: `a limit for the size of files (${canMount ? 'SKIPPED: a full disk shows the same' : 'no ulimit on Windows'})`,
    available: !canMount && process.platform !== 'win32',
    code: 'EFBIG',
    // 32 KiB.
    under: inShell('ulimit -f 64; "$@"; code=$?; mv disk/dist after; exit $code'),
  },
]

for (const { title, available, code, under } of disks) {
  describe.skipIf(!available)(title, () => {
    const names = Array.from({ length: 300 }, (_, i) => `${i}.svg`)
    const icons = names.flatMap((src) => ['1x1', '2x2'].map((sizes) => ({ src, sizes })))
    const pwa = "VitePWA({ injectRegister: false, manifest: false, workbox: { globPatterns: ['*.svg'] } }), "
    /** Fills the disk when the build has written all, and before the plugin does. */
    const filling = (plugins: string) => `import { cpSync, openSync, writeSync } from 'node:fs'
import { staticS3 } from 'static-s3/vite'
import { VitePWA } from 'vite-plugin-pwa'
function handler() {
  cpSync('disk/dist', 'before', { recursive: true })
  try {
    for (const filler = openSync('disk/filler', 'a'); ; ) writeSync(filler, Buffer.alloc(4096))
  } catch (error) {
    if (error.code !== '${code}') throw error
  }
}
const filler = { name: 'filler', closeBundle: { order: 'post', sequential: true, handler } }
export default { plugins: [${plugins}filler, staticS3()] }
`

    test.each([
      ['the service worker', 'sw.js', pwa, {}],
      ['a web app manifest', 'app.webmanifest', '', { 'public/app.webmanifest': JSON.stringify({ icons }) }],
    ])(
      'fails the build in one message: %s stays as it was, and nothing is uploaded',
      async (_what, file, plugins, more) => {
        const dir = await copyApp('legacy', { files: { 'vite.config.js': filling(plugins), ...more } })
        await mkdir(join(dir, 'disk'))
        for (const name of names) await writeFile(join(dir, 'public', name), `<svg id="${name}"/>`)
        const built = await buildVite(dir, { outDir: 'disk/dist', under, env: deployEnv(s3, bucket) })
        expect(built.code, built.output).toBe(1)
        const before = await readTree(join(dir, 'before'))
        const after = await readTree(join(dir, 'after'))
        expect([...before.keys()]).toContain(file)
        expect([...after.keys()]).toEqual([...before.keys()])
        expect([...after.keys()].filter((path) => !before.get(path)?.equals(after.get(path) as Buffer))).toEqual([])
        expect(writes(s3)).toEqual([])
        expect(built.output).toMatch(new RegExp(`static-s3: \\S*/disk/dist/${file}: ${code}`))
        expect(built.output).not.toMatch(/^\s+at /m)
        expect(built.output.slice(built.output.indexOf('static-s3: '))).not.toMatch(/PLUGIN_ERROR|closeBundle|\{\n/)
      },
    )
  })
}

test('a file that vanishes, or is left over from an earlier build, is not taken for one of this build', async () => {
  const files = viteConfig()
  const dir = await copyApp('legacy', { files })
  await mkdir(join(dir, 'dist/assets'), { recursive: true })
  await writeFile(join(dir, 'dist/assets/old-AbCdEfGh.js'), 'old')
  await writeFile(join(dir, 'dist/favicon.svg'), 'will be written anew')
  const { code, output } = await buildViteHere(dir, { env: deployEnv(s3, bucket) })
  expect(code, output).toBe(0)
  expect(output).toMatch(/left over from an earlier build/)
  const up = [...siteObjects(s3, bucket).keys()]
  expect(up).not.toContain('static/assets/old-AbCdEfGh.js')
  expect(up).toContain('static/favicon.svg')
  await rm(dir, { recursive: true })
})

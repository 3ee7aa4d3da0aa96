import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inspect, stripVTControlCharacters } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { createLogger, type Plugin } from 'vite'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import {
  bundlerConfig,
  bundlers,
  closed,
  deployTarget,
  makeApp,
  runOnce,
  viteBuild,
  writeFiles,
} from '../../fixtures/build/in-process.js'
import { type App, buildApp, readTree } from '../../fixtures/build/index.js'
import { siteObjects, writes } from '../../fixtures/build/site.js'
import { errorOf } from '../../fixtures/error-of.js'
import { settingsFor } from '../../fixtures/s3/connection.js'
import type { LoggedRequest } from '../../fixtures/s3/index.js'
import { selfSigned } from '../../fixtures/s3/self-signed.js'
import { runCommand } from '../../src/cli/command.js'
import { openBucket } from '../../src/s3/objects/s3-bucket.js'
import type { Options } from '../../src/settings/options.js'
import { staticS3 } from '../../src/vite.js'
import { StaticS3Plugin } from '../../src/webpack.js'

// What a deploy must not do, whatever it is given: tell a secret, publish one, write outside of its location, or trust a stranger.

const target = deployTarget()

const site = {
  'index.html': '<!doctype html><script type="module" src="/src/main.js"></script>',
  'src/main.js': `import './style.css'\ndocument.title = 'site'`,
  'src/style.css': 'body { color: red }',
  'public/notes.txt': 'notes',
}
const bundled = {
  'src/index.js': `import './style.css'\ndocument.title = 'site'`,
  'src/style.css': site['src/style.css'],
}

/** All that this process prints, until `stop`. */
function listen(): { said: string[]; stop(): void } {
  const said: string[] = []
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk: unknown) => {
      said.push(String(chunk))
      return true
    }),
  )
  return { said, stop: () => void spies.map((spy) => spy.mockRestore()) }
}

interface Told {
  /** What was printed, by streams and loggers. */
  said: string
  error: unknown
}

async function deploy(dir: string, options: Options = {}, envDir: string | false = false): Promise<Told> {
  const heard = listen()
  const log = (message: string) => void heard.said.push(message)
  const customLogger = { ...createLogger('info'), info: log, warn: log, warnOnce: log, error: log }
  const plugins = [staticS3(options) as Plugin]
  try {
    await viteBuild('vite', dir, { envDir, plugins, logLevel: 'warn', customLogger })
    return { said: heard.said.join('\n'), error: undefined }
  } catch (error) {
    return { said: heard.said.join('\n'), error }
  } finally {
    heard.stop()
  }
}

async function plan(dir: string, ...words: string[]): Promise<Told & { code: number }> {
  const heard = listen()
  const cwd = vi.spyOn(process, 'cwd').mockReturnValue(dir)
  try {
    const code = await runCommand(['plan', 'dist', ...words])
    return { said: heard.said.join('\n'), error: undefined, code }
  } finally {
    cwd.mockRestore()
    heard.stop()
  }
}

describe('no secret of the deploy', () => {
  let secrets: Record<string, string>
  /** Every version that there ever was of what static-s3 keeps in the bucket: locks are written again and again. */
  let kept: Map<string, string>
  let dir: string

  beforeEach(async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = target.s3.server.session()
    secrets = { accessKeyId, secretAccessKey, sessionToken }
    vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
    vi.stubEnv('AWS_SESSION_TOKEN', sessionToken)
    kept = new Map()
    target.s3.server.intercept = keep
    dir = await makeApp(site)
  })

  function keep(): undefined {
    for (const [key, { body, etag, headers, metadata, tags }] of target.s3.server.objects(target.bucket)) {
      const content = key.endsWith('.gz') ? gunzipSync(body).toString() : body.toString()
      kept.set(`${key} ${etag}`, JSON.stringify([key, content, headers, metadata, tags]))
    }
  }

  /** An answer that repeats all that was signed, as S3 does, and then some. */
  const repeatedOn = (isMeant: (request: LoggedRequest) => boolean) => {
    let times = 0
    target.s3.server.intercept = (request) => {
      keep()
      if (!isMeant(request)) return undefined
      times++
      const { accessKeyId, secretAccessKey } = secrets
      const message = `no: ${inspect(request.headers)} AWSAccessKeyId=${accessKeyId} ${secretAccessKey} of ${inspect(request.query)}`
      return {
        status: 403,
        code: 'SignatureDoesNotMatch',
        message,
        headers: { 'x-amz-echo': JSON.stringify(request.headers) },
      }
    }
    return () => times
  }

  /** Nowhere, in no form in which it would still be of use. */
  async function expectNone({ said, error }: Told): Promise<void> {
    keep()
    const places = new Map([
      ['output', said],
      [
        'error',
        inspect(error, { depth: Infinity, showHidden: true, maxStringLength: Infinity, maxArrayLength: Infinity }),
      ],
      ['stacks', stacks(error)],
      ...kept,
      ...[...(await readTree(dir))].map(([path, bytes]) => [path, bytes.toString()] as const),
    ])
    const signatures = target.s3.server.requests.flatMap(
      ({ headers }) => /Signature=(\w+)/.exec(headers.authorization ?? '')?.[1] ?? [],
    )
    expect(signatures.length).toBeGreaterThan(0)
    for (const [place, content] of places) {
      for (const [name, secret] of Object.entries(secrets)) {
        for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), btoa(secret)]) {
          expect(content.includes(form), `${name} in ${place}: ${content}`).toBe(false)
        }
      }
      const signed = signatures.find((signature) => content.includes(signature))
      expect(signed, `a signature in ${place}: ${content}`).toBeUndefined()
    }
  }

  /** Those of all causes: `inspect` says of an error of ours what it wants. */
  function stacks(error: unknown): string {
    if (!(error instanceof Error)) return String(error)
    const own = Object.getOwnPropertyNames(error).map((name) => `${name}: ${String(error[name as keyof Error])}`)
    return [...own, error.cause === undefined ? '' : stacks(error.cause)].join('\n')
  }

  const isPut = (key: RegExp) => (request: LoggedRequest) => request.method === 'PUT' && key.test(request.key ?? '')
  const debugs: [debug: string | undefined][] = [[undefined], ['static-s3']]

  describe.each(debugs)('with DEBUG=%s', (debug) => {
    beforeEach(() => {
      vi.stubEnv('DEBUG', debug)
    })

    test('is in what two deploys say and keep, nor in a plan', async () => {
      const first = await deploy(dir)
      expect(first.error).toBeUndefined()
      expect(first.said).toMatch(/release 1 live/)
      await writeFiles(dir, { 'src/main.js': 'document.title = 2' })
      const second = await deploy(dir, { fileOverwrite: false })
      expect(second.said).toMatch(/release 2 live/)
      const dry = await deploy(dir, { dryRun: true, force: true })
      expect(dry.said).toMatch(/dry run/)
      const json = await plan(dir, '--json')
      expect(JSON.parse(json.said)).toMatchObject({ bucket: target.bucket, last: { release: 2 } })
      const forPeople = await plan(dir)
      expect(forPeople.said).toMatch(/nothing was written/)
      for (const told of [first, second, dry, json, forPeople]) await expectNone(told)
      // What is looked for was there to be found: records and locks.
      const names = [...kept.keys()].join('\n')
      for (const kind of [/\d{8}\.json\.gz/, /\d{8}\.lock/]) expect(names).toMatch(kind)
    })

    test.each<[what: string, isMeant: (request: LoggedRequest) => boolean]>([
      ['a listing', ({ operation }) => operation === 'ListObjectsV2'],
      ['the listing of the location', ({ query }) => query.prefix === 'static/'],
      ['the record', ({ operation, key }) => operation === 'GetObject' && /\.json\.gz$/.test(key ?? '')],
      ['an asset', isPut(/static\/assets\//)],
      ['the lock', isPut(/\.lock$/)],
      ['the page', isPut(/index\.html$/)],
      ['the new record', isPut(/releases\/\d+\.json\.gz$/)],
      ['other headers', ({ operation }) => operation === 'CopyObject'],
      ['whatever is asked', () => true],
    ])('is told where S3 repeats the whole request in its answer to %s', async (_what, isMeant) => {
      expect((await deploy(dir)).error).toBeUndefined()
      await writeFiles(dir, { 'src/main.js': 'document.title = 2', 'index.html': `${site['index.html']}<p>2` })
      const times = repeatedOn(isMeant)
      const rules = [{ match: 'notes.txt', cacheControl: 'max-age=5' }]
      const failed = await deploy(dir, { rules })
      expect(times()).toBeGreaterThan(0)
      await expectNone(failed)
    })

    test.each<[what: string, change: () => void, says: RegExp]>([
      [
        'a wrong secret',
        () => {
          secrets.secretAccessKey = 'x+/Y'.repeat(10)
          vi.stubEnv('AWS_SECRET_ACCESS_KEY', secrets.secretAccessKey)
        },
        /SignatureDoesNotMatch/,
      ],
      [
        'an unknown key',
        () => {
          secrets.accessKeyId = 'not-as-AWS-makes-them'
          vi.stubEnv('AWS_ACCESS_KEY_ID', secrets.accessKeyId)
        },
        /InvalidAccessKeyId/,
      ],
      ['a wrong region', () => vi.stubEnv('AWS_S3_REGION_NAME', 'eu-central-1'), /us-east-1/],
      [
        'a token that has expired',
        () => {
          const { accessKeyId, secretAccessKey, sessionToken } = target.s3.server.session(-60)
          secrets = { accessKeyId, secretAccessKey, sessionToken }
          vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId)
          vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
          vi.stubEnv('AWS_SESSION_TOKEN', sessionToken)
        },
        /ExpiredToken/,
      ],
    ])('is told with %s', async (_what, change, says) => {
      change()
      const failed = await deploy(dir)
      expect(String(failed.error)).toMatch(says)
      await expectNone(failed)
      const warned = await deploy(dir, { onError: 'warn' })
      expect(warned.said).toMatch(says)
      await expectNone(warned)
      const planned = await plan(dir, '--json')
      expect(planned).toMatchObject({ code: 1, said: expect.stringMatching(says) })
      await expectNone(planned)
    })
  })

  test.each<App>(['plain', 'webpack', 'rspack'])(
    'is printed by a command whose upload failed, with DEBUG=static-s3: %s',
    async (app) => {
      const times = repeatedOn(isPut(/\.js$/))
      const { accessKeyId, secretAccessKey, sessionToken } = secrets
      const built = await buildApp(app, {
        env: {
          ...deployEnv(target.s3, target.bucket),
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          AWS_SESSION_TOKEN: sessionToken,
          DEBUG: 'static-s3',
        },
      })
      expect(built.code).toBeGreaterThan(0)
      expect(times()).toBeGreaterThan(0)
      expect(built.output).toMatch(/PUT static\/.*SignatureDoesNotMatch/)
      await expectNone({ said: built.output, error: undefined })
    },
  )

  test('is published, whichever it is', async () => {
    for (const [what, secret] of [
      ['the access key id', secrets.accessKeyId],
      ['the secret access key', secrets.secretAccessKey],
      ['the session token', secrets.sessionToken],
    ] as const) {
      await writeFiles(dir, { 'public/notes.txt': `notes ${secret}` })
      const { error, said } = await deploy(dir)
      expect((error as Error).message).toBe(
        `static-s3: nothing was uploaded\n  - notes.txt contains ${what} in use: take it out of the build, and replace the key`,
      )
      expect(said).not.toContain(secret)
    }
    expect(writes(target.s3)).toEqual([])
  })
})

describe('a secret of a .env file', () => {
  const value = 'sntrys-d8f14b7e9a2c'
  const problem = (file: string, name: string) =>
    `${file} contains the value of ${name}, which stands in a .env file: take it out of the build, and replace it; ` +
    `if everybody may know it: allowSecrets: ['${name}']`

  const app = (env: string, more: Record<string, string> = {}) => makeApp({ ...site, '.env': env, ...more })
  /** The message of a deploy that was refused, in which the value is not. */
  const refusal = ({ said, error }: Told) => {
    expect(error).toBeInstanceOf(Error)
    expect(said + inspect(error, { depth: Infinity, showHidden: true })).not.toContain(value)
    return (error as Error).message
  }

  test('stops the deploy before the first byte leaves, and is named, not shown', async () => {
    for (const debug of [undefined, 'static-s3']) {
      vi.stubEnv('DEBUG', debug)
      const dir = await app(`SENTRY_AUTH_TOKEN=${value}`, {
        'public/a.json': value,
        'src/main.js': `alert("${value}")`,
      })
      const lines = refusal(await deploy(dir, {}, dir)).split('\n')
      expect(lines[0]).toBe('static-s3: nothing was uploaded')
      expect(lines[1]).toBe(`  - ${problem('a.json', 'SENTRY_AUTH_TOKEN')}`)
      expect(lines[2]).toMatch(/^ {2}- assets\/index-[\w-]+\.js contains the value of SENTRY_AUTH_TOKEN, /)
      expect(lines).toHaveLength(3)
    }
    expect(writes(target.s3)).toEqual([])
  })

  test("counts with the shell's value, which is what the build sees", async () => {
    vi.stubEnv('DB_PASSWORD', value)
    const dir = await app('DB_PASSWORD=only-for-development', { 'public/a.txt': value })
    expect(refusal(await deploy(dir, {}, dir))).toContain(problem('a.txt', 'DB_PASSWORD'))
  })

  test('that the deploy itself uses is told as that', async () => {
    const { secretAccessKey } = target.s3.credentials
    const dir = await app(`AWS_SECRET_ACCESS_KEY=${secretAccessKey}`, { 'public/a.txt': secretAccessKey })
    const { error } = await deploy(dir, { allowSecrets: 'AWS_SECRET_ACCESS_KEY' }, dir)
    expect((error as Error).message).toMatch(
      /nothing was uploaded\n {2}- a\.txt contains the secret access key in use: .*$/,
    )
    const unnamed = await deploy(dir, {}, dir)
    expect((unnamed.error as Error).message.split('\n')).toHaveLength(2)
  })

  test.each<[what: string, env: string, options: Options]>([
    ['is allowed by name', `SENTRY_AUTH_TOKEN=${value}`, { allowSecrets: ['SENTRY_AUTH_TOKEN'] }],
    ['begins with VITE_', `VITE_MAPBOX_TOKEN=${value}`, {}],
    ['is not called one', `MAPBOX=${value}`, {}],
  ])('is uploaded where it %s', async (_what, env, options) => {
    const dir = await app(env, { 'src/main.js': `alert("${value}", import.meta.env.VITE_MAPBOX_TOKEN)` })
    const { error } = await deploy(dir, options, dir)
    expect(error).toBeUndefined()
    const scripts = [...siteObjects(target.s3, target.bucket).values()].filter(({ key }) => key.endsWith('.js'))
    expect(scripts.map(({ body }) => body.toString()).join()).toContain(value)
  })

  test('of the shell alone is not looked for', async () => {
    vi.stubEnv('SENTRY_AUTH_TOKEN', value)
    const dir = await app('OTHER=1', { 'public/a.txt': value })
    expect((await deploy(dir, {}, dir)).error).toBeUndefined()
  })

  test('that stands in no uploaded file is no problem, and no record has it', async () => {
    vi.stubEnv('DEBUG', 'static-s3')
    const dir = await app(`SENTRY_AUTH_TOKEN=${value}`, { 'public/.hidden': value, 'public/server.key': value })
    const { error, said } = await deploy(dir, {}, dir)
    expect(error).toBeUndefined()
    const objects = [...target.s3.server.objects(target.bucket).values()]
    const contents = objects.map(({ key, body }) => (key.endsWith('.gz') ? gunzipSync(body) : body).toString())
    expect(contents.some((content) => content.includes('"notes.txt"'))).toBe(true)
    expect(contents.join() + said).not.toContain(value)
  })

  test.each(bundlers)('stops a build of %s too, by the .env file where it runs', async (_name, bundler) => {
    const define = { 'process.env.SENTRY_AUTH_TOKEN': JSON.stringify(value) }
    const dir = await makeApp({ ...bundled, '.env': `SENTRY_AUTH_TOKEN=${value}` })
    await writeFiles(dir, { 'src/index.js': `import './style.css'\nalert(process.env.SENTRY_AUTH_TOKEN)` })
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(dir)
    try {
      const built = async (options: Options) => {
        const compiler = bundler.create(bundlerConfig(bundler, dir, { plugins: [new StaticS3Plugin(options)] }))
        new compiler.webpack.DefinePlugin(define).apply(compiler)
        const error = await errorOf(runOnce(compiler))
        await closed(compiler)
        return error
      }
      const error = await built({})
      expect(error?.message).toMatch(
        /main\.\w+\.js contains the value of SENTRY_AUTH_TOKEN, which stands in a \.env file/,
      )
      expect(inspect(error)).not.toContain(value)
      expect(writes(target.s3)).toEqual([])
      expect(await built({ allowSecrets: ['SENTRY_AUTH_TOKEN'] })).toBeUndefined()
    } finally {
      cwd.mockRestore()
    }
  })

  test('is a plan’s matter as well, which takes --allow-secrets', async () => {
    const dir = await app(`SENTRY_AUTH_TOKEN=${value}\nDB_PASSWORD=hunter2hunter2`)
    await mkdir(join(dir, 'dist'))
    await writeFile(join(dir, 'dist/a.txt'), `${value} hunter2hunter2`)
    const refused = await plan(dir)
    expect(refused.code).toBe(1)
    expect(refused.said).toContain(problem('a.txt', 'SENTRY_AUTH_TOKEN'))
    expect(refused.said).toContain(problem('a.txt', 'DB_PASSWORD'))
    expect(refused.said).not.toContain(value)
    const one = await plan(dir, '--allow-secrets', 'DB_PASSWORD')
    expect(one.said).not.toContain('DB_PASSWORD')
    expect(one.code).toBe(1)
    const both = await plan(dir, '--allow-secrets', 'DB_PASSWORD', '--allow-secrets', 'SENTRY_AUTH_TOKEN')
    expect(stripVTControlCharacters(both.said)).toMatch(/a\.txt \(new\)/)
    expect(both.code).toBe(0)
  })
})

describe('nothing is written outside of the location', () => {
  const keys = () => [...target.s3.server.objects(target.bucket).keys()]
  const strays = () => keys().filter((key) => !/^(static|\.static-s3\/static)\//.test(key))

  test.each(bundlers)('by a name that %s is given', async (_name, bundler) => {
    const dir = await makeApp(bundled)
    const compiler = bundler.create(
      bundlerConfig(bundler, dir, {
        infrastructureLogging: { level: 'info', console: { ...console, info: log, warn: log, log } as Console },
        plugins: [new bundler.html({ filename: '../pages/index.html' }), new StaticS3Plugin()],
      }),
    )
    const said: string[] = []
    function log(...words: unknown[]) {
      said.push(words.join(' '))
    }
    await runOnce(compiler)
    await closed(compiler)
    expect((await readTree(join(dir, 'pages'))).size).toBe(1)
    expect(keys().filter((key) => key.endsWith('.js'))).toHaveLength(1)
    expect(keys().filter((key) => key.endsWith('.html'))).toEqual([])
    expect(strays()).toEqual([])
    expect(stripVTControlCharacters(said.join('\n'))).toMatch(/left out +1 +outside of the output folder/)
  })

  // Windows forbids `?` in names, and takes a backslash for a slash.
  const isPossible = (name: string) => process.platform !== 'win32' || !/[\\?]/.test(name)

  test.each(['%2e%2e/admin.js', 'a/%2E%2e/%2e%2e/admin.js', 'a\\..\\..\\admin.js'].filter(isPossible))(
    'by a public file named %s: the deploy is refused',
    async (path) => {
      const dir = await makeApp({ ...site, [`public/${path}`]: 'admin' })
      const { error } = await deploy(dir)
      expect((error as Error).message).toContain(`${path}: its name leads out of the location on some servers`)
      expect(writes(target.s3)).toEqual([])
    },
  )

  test('by one that is only strange: it is there under its own name', async () => {
    const strange = ['100%2e.txt', '%2e%2e.txt', 'back\\slash.txt', '..txt', 'a..b/c..txt', '%2fetc.txt', '?..&x=#.txt']
    const names = strange.filter(isPossible)
    const dir = await makeApp({ ...site, ...Object.fromEntries(names.map((name) => [`public/${name}`, name])) })
    expect((await deploy(dir)).error).toBeUndefined()
    const there = siteObjects(target.s3, target.bucket)
    for (const name of names.filter((each) => !each.startsWith('.')))
      expect(there.get(`static/${name}`)?.body.toString(), name).toBe(name)
    expect(strays()).toEqual([])
  })
})

describe('TLS is verified', () => {
  const open: Server[] = []
  beforeEach(() => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', undefined)
  })
  afterEach(() => {
    for (const server of open.splice(0)) server.close().closeAllConnections()
  })
  afterAll(() => expect(open).toEqual([]))

  /** The test server behind a certificate that nobody knows, and how many requests came through. */
  async function behindTls(valid: { until?: number } = {}) {
    const { key, cert } = selfSigned(valid)
    const requests: string[] = []
    const server = createServer({ key, cert }, (request, response) => {
      requests.push(`${request.method} ${request.url}`)
      const { method, headers, url } = request
      const onward = httpRequest(target.s3.endpoint + url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode as number, answer.headers)
        answer.pipe(response)
      })
      request.pipe(onward)
    })
    open.push(server)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    return { requests, cert, port, endpoint: `https://127.0.0.1:${port}` }
  }

  async function planInChild(endpoint: string, authority?: string) {
    const dir = await makeApp({ 'dist/a.txt': 'a', ...(authority ? { 'authority.crt': authority } : {}) })
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../dist/cli.js'), 'plan', 'dist'], {
      cwd: dir,
      env: {
        PATH: process.env.PATH,
        HOME: dir,
        ...deployEnv(target.s3, target.bucket),
        AWS_S3_ENDPOINT_URL: endpoint,
        ...(authority ? { NODE_EXTRA_CA_CERTS: join(dir, 'authority.crt') } : {}),
      },
    })
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { stdout, stderr, code }
  }

  test('a build whose store has a self-signed certificate fails, and says what to do', async () => {
    const { endpoint, requests } = await behindTls()
    vi.stubEnv('AWS_S3_ENDPOINT_URL', endpoint)
    const { error } = await deploy(await makeApp(site))
    expect((error as Error).message).toMatch(
      /^static-s3: LIST s3:\/\/.*: the certificate of \S+ can't be verified \(DEPTH_ZERO_SELF_SIGNED_CERT\)\. .*NODE_EXTRA_CA_CERTS/,
    )
    expect(requests).toEqual([])
    expect(target.s3.server.requests).toEqual([])
  })

  test('whatever is asked of the bucket', async () => {
    const { endpoint, requests } = await behindTls()
    const connection = await openBucket({ ...settingsFor(target.s3, target.bucket), endpoint })
    try {
      const store = connection.bucket
      const body = { size: 1, sha256: hash('sha256', 'a'), open: async () => Buffer.from('a') }
      for (const asked of [
        () => store.list('static/'),
        () => store.get('static/a'),
        () => store.put('static/a', body, {}),
        () => store.copy('static/a', 'static/b', {}),
      ]) {
        await expect(asked()).rejects.toThrow(/can't be verified \(DEPTH_ZERO_SELF_SIGNED_CERT\)/)
      }
    } finally {
      connection.close()
    }
    expect(requests).toEqual([])
  })

  test('one whose authority is known is trusted, and only for its own name and time', async () => {
    const { endpoint, cert, port, requests } = await behindTls()
    const stranger = await planInChild(endpoint)
    expect(stranger).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/can't be verified/) })
    expect(requests).toEqual([])

    const known = await planInChild(endpoint, cert)
    expect(known).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/a\.txt \(new\)/) })
    expect(requests.length).toBeGreaterThan(0)

    const otherName = await planInChild(`https://localhost:${port}`, cert)
    expect(otherName.stderr).toMatch(/is for another host name \(ERR_TLS_CERT_ALTNAME_INVALID\)/)

    const old = await behindTls({ until: Date.now() - 86_400_000 })
    const expired = await planInChild(old.endpoint, old.cert)
    expect(expired.stderr).toMatch(/has expired or is not valid yet \(CERT_HAS_EXPIRED\)/)
    expect(old.requests).toEqual([])
  })

  test.each(['False', '0', '/etc/ssl/own.pem'])('AWS_S3_VERIFY=%s does not switch it off', async (verify) => {
    vi.stubEnv('AWS_S3_VERIFY', verify)
    const { error } = await deploy(await makeApp(site))
    expect((error as Error).message).toMatch(/AWS_S3_VERIFY is "[^"]+": turn it on, because TLS is always verified/)
  })
})

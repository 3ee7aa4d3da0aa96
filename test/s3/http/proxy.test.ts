import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { patience } from '../../../fixtures/patience.js'
import { patient } from '../../../fixtures/s3/connection.js'
import { openBucket, type S3Connection } from '../../../src/s3/objects/s3-bucket.js'

// Names that nobody resolves: whoever is asked there was asked through the proxy.
const store = 'http://store.test:9000'
const json = { 'content-type': 'application/json' }
const startUrl = 'https://company.awsapps.com/start'

const listing = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>'
const keys = '<AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>'
const assumed = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>${keys}<SessionToken>of STS</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
const role = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'secret',
  sessionToken: 'of SSO',
  expiration: 4070908800000,
}

const renewed = { accessToken: 'new', expiresIn: 3600, refreshToken: 'next', tokenType: 'Bearer' }
const answers: Record<string, string> = {
  'sts.test': assumed,
  'sso.test': JSON.stringify({ roleCredentials: role }),
  'oidc.test': JSON.stringify(renewed),
}

describe('behind a proxy', () => {
  let home: string
  let proxy: Server
  let asked: IncomingMessage[]
  let connection: S3Connection
  /** Other answers, by host. */
  const refused = new Map<string, { status: number; headers: Record<string, string>; body: string }>()

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'static-s3-proxy-'))
    asked = []
    refused.clear()
    proxy = createServer((request, response) => {
      asked.push(request)
      const { hostname } = new URL(request.url ?? '', 'http://direct')
      const { status, headers, body } = refused.get(hostname) ?? { status: 200, headers: {}, body: answers[hostname] }
      response.writeHead(status, { ...(body && body !== assumed ? json : {}), ...headers }).end(body ?? listing)
    })
    proxy.on('connect', (request, socket) => {
      asked.push(request)
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    })
    await once(proxy.listen(0, '127.0.0.1'), 'listening')
    const { port } = proxy.address() as AddressInfo
    vi.stubEnv('HOME', home)
    vi.stubEnv('HTTP_PROXY', `http://user:pass-word@127.0.0.1:${port}`)
    vi.stubEnv('HTTPS_PROXY', `http://user:pass-word@127.0.0.1:${port}`)
    vi.stubEnv('NO_PROXY', undefined)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    connection.close()
    proxy.close().closeAllConnections()
    await rm(home, { recursive: true })
  })

  const hostOf = ({ url = '' }: IncomingMessage) => new URL(url).hostname
  const tokens = () => asked.map(({ headers }) => headers['x-amz-security-token'])
  const list = async (credentials?: { profile: string }, endpoint?: string) => {
    const settings = {
      bucket: 'b',
      region: 'eu-west-1',
      addressingStyle: 'path' as const,
      concurrency: 4,
      credentials,
      endpoint,
    }
    connection = await openBucket({ ...settings, endpoint: endpoint ?? store }, patient)
    return connection.bucket.list('static/')
  }

  it('a role is assumed by an OIDC token', async () => {
    await writeFile(join(home, 'token'), 'token')
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::111122223333:role/deploy')
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(home, 'token'))
    vi.stubEnv('AWS_ENDPOINT_URL_STS', 'http://sts.test')
    expect(await list()).toHaveLength(0)
    expect(asked.map(hostOf)).toEqual(['sts.test', 'store.test'])
    expect(tokens()).toEqual([undefined, 'of STS'])
  })

  /** A profile that signs in by SSO, with the token of `aws sso login`. */
  const signIn = async (session: string, token: object) => {
    const start = `sso_start_url = ${startUrl}\nsso_region = eu-west-1\n`
    const profile = `[profile work]\nsso_session = ${session}\nsso_account_id = 111122223333\nsso_role_name = deploy\n`
    await mkdir(join(home, '.aws/sso/cache'), { recursive: true })
    await writeFile(join(home, '.aws/config'), `${profile}[sso-session ${session}]\n${start}`)
    const file = `${createHash('sha1').update(session).digest('hex')}.json`
    await writeFile(join(home, '.aws/sso/cache', file), JSON.stringify({ accessToken: 'token', ...token }))
    vi.stubEnv('AWS_ENDPOINT_URL_SSO', 'http://sso.test')
    vi.stubEnv('AWS_ENDPOINT_URL_SSO_OIDC', 'http://oidc.test')
  }
  const valid = { expiresAt: '2099-01-01T00:00:00Z' }
  const expired = { expiresAt: '2001-01-01T00:00:00Z', clientId: 'id', clientSecret: 'secret', refreshToken: 'refresh' }

  it('the credentials of an SSO session are fetched', async () => {
    await signIn('valid', valid)
    expect(await list({ profile: 'work' })).toHaveLength(0)
    expect(asked.map(hostOf)).toEqual(['sso.test', 'store.test'])
    expect(tokens()).toEqual([undefined, 'of SSO'])
  })

  it('an SSO session is renewed', async () => {
    await signIn('to-renew', expired)
    expect(await list({ profile: 'work' })).toHaveLength(0)
    expect(asked.map(hostOf)).toEqual(['oidc.test', 'sso.test', 'store.test'])
  })

  it.each<[what: string, token: object, env: Record<string, string>, says: RegExp]>([
    ['an unreachable portal', valid, { HTTP_PROXY: 'http://127.0.0.1:1' }, /the proxy 127\.0\.0\.1:1 can't be reached/],
    [
      'a portal that nobody knows',
      valid,
      { AWS_ENDPOINT_URL_SSO: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1' },
      /the service for the credentials can't be reached: 127\.0\.0\.1 \(ECONNREFUSED\)/,
    ],
    [
      'an unreachable renewal',
      expired,
      { AWS_ENDPOINT_URL_SSO_OIDC: 'http://127.0.0.1:1', NO_PROXY: '127.0.0.1' },
      /the service for the credentials can't be reached: 127\.0\.0\.1 \(ECONNREFUSED\)/,
    ],
    [
      'a refused tunnel to the portal',
      valid,
      { AWS_ENDPOINT_URL_SSO: 'https://sso.test' },
      /the proxy 127\.0\.0\.1:\d+ refuses the connection to sso\.test: status 407/,
    ],
  ])('%s is no end of an SSO session', async (what, token, env, says) => {
    await signIn(what.replaceAll(' ', '-'), token)
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const { message } = (await list({ profile: 'work' }).catch((error: unknown) => error)) as Error
    expect(message).toMatch(says)
    expect(message).not.toMatch(/SSO session|pass-word/)
  })

  it.each([
    [401, 'UnauthorizedException', 'Session token not found or invalid', /no valid SSO session/],
    [403, 'ForbiddenException', 'No access', /the profile "work" got no credentials by SSO: .*No access/],
  ])('an SSO portal that answers %i says whether the session has ended', async (status, code, message, says) => {
    await signIn(`refused-${status}`, valid)
    const answer = { status, headers: { 'x-amzn-errortype': code }, body: JSON.stringify({ message }) }
    refused.set('sso.test', answer)
    await expect(list({ profile: 'work' })).rejects.toThrow(says)
  })

  it("a container's credentials are fetched without it", async () => {
    const body = { AccessKeyId: 'ASIAEXAMPLE', SecretAccessKey: 'secret', Token: 'of ECS', Expiration: valid.expiresAt }
    const container = createServer((_request, response) => response.end(JSON.stringify(body)))
    await once(container.listen(0, '127.0.0.1'), 'listening')
    const { port } = container.address() as AddressInfo
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/`)
    expect(await list()).toHaveLength(0)
    expect(asked.map(hostOf)).toEqual(['store.test'])
    expect(tokens()).toEqual(['of ECS'])
    container.close().closeAllConnections()
  })

  const own = () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAEXAMPLE')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  }

  it('that refuses a tunnel, the message names it and what to set, and not its password', async () => {
    own()
    const error = await list(undefined, 'https://store.test').catch((error: Error) => error)
    const { port } = proxy.address() as AddressInfo
    expect(String(error)).toContain(
      `the proxy 127.0.0.1:${port} refuses the connection to https://store.test: status 407 (ProxyRefused). Check HTTPS_PROXY`,
    )
    expect(String((error as Error).stack)).not.toContain('pass-word')
    expect(asked[0]).toMatchObject({ method: 'CONNECT', url: 'store.test:443' })
    expect(asked[0]?.headers['proxy-authorization']).toBe(`Basic ${btoa('user:pass-word')}`)
  })

  it('that refuses a plain request, the message says so', async () => {
    own()
    refused.set('store.test', { status: 407, headers: {}, body: '' })
    await expect(list()).rejects.toThrow(/the proxy refuses the connection to http:\/\/store\.test:9000.*NO_PROXY/)
  })

  it('that is not there, the message names the proxy and not the store', async () => {
    own()
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:1')
    await expect(list()).rejects.toThrow(/the proxy 127\.0\.0\.1:1 can't be reached \(ECONNREFUSED\)/)
  })

  it('that has no address, the message says which variable is wrong', async () => {
    own()
    vi.stubEnv('HTTP_PROXY', 'socks5://127.0.0.1')
    const listed = list()
    await vi.waitFor(() => connection.warm(4), patience)
    await expect(listed).rejects.toThrow(/HTTP_PROXY is no URL of a proxy\. Set it to an http or https URL/)
  })

  it('hosts that NO_PROXY names are asked directly', async () => {
    own()
    vi.stubEnv('NO_PROXY', '127.0.0.1')
    const { port } = proxy.address() as AddressInfo
    expect(await list(undefined, `http://127.0.0.1:${port}`)).toHaveLength(0)
    expect(asked[0]?.url).toMatch(/^\/b\/\?/)
  })
})

import { createHash, createHmac, hash } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cases, patience } from '../../../fixtures/fuzz/chance.js'
import { encode, queryString, sign } from '../../../src/s3/http/sign.js'

/** The hash in the form that the SDK's signer takes. */
class Sha256 {
  readonly #hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string)
  }
  update(data: Uint8Array): void {
    this.#hash.update(data)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {}
}

const awkward = fc.constantFrom(
  ...'+%#?=&~*!\'()/ ;:@$,[]<>"\\|{}^`',
  '\u{1f600}',
  'ü',
  '\u0000',
  '%2F',
  '..',
  '//',
  'a',
  'Z',
  '0',
)
const text = fc.oneof(
  fc.string({ unit: awkward, maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ maxLength: 12 }),
)
const blanks = fc.string({ unit: fc.constantFrom(' ', '\t', 'a', 'B', ',', '"'), maxLength: 12 })
const headerName = fc.oneof(
  fc.constantFrom('cache-control', 'content-type', 'content-md5', 'content-length', 'user-agent', 'expect', 'proxy-x'),
  fc.constantFrom(
    'sec-fetch',
    'x-amz-acl',
    'x-amz-meta-a',
    'x-amz-meta-a-b',
    'x-amz-meta-a1',
    'range',
    'te',
    'terminal',
  ),
  fc.stringMatching(/^[a-z][a-z0-9!#$%&'*+.^_`|~-]{0,12}$/),
)
const secret = fc.string({ minLength: 1, maxLength: 50 })

describe('the signature', () => {
  it(
    "is the one of the SDK's signer, whatever is signed",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),
            key: text,
            query: fc.dictionary(text, fc.oneof(fc.constant(''), text), { maxKeys: 5, noNullPrototype: true }),
            headers: fc.dictionary(headerName, fc.oneof(blanks, fc.string()), { maxKeys: 6, noNullPrototype: true }),
            body: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
            date: fc.date({ min: new Date('1990-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }),
            region: fc.constantFrom('us-east-1', 'eu-west-1', 'auto'),
            service: fc.constantFrom('s3', 'cloudfront'),
            accessKeyId: secret,
            secretAccessKey: fc.oneof(fc.constantFrom('one secret', 'another'), secret),
            sessionToken: fc.option(fc.string({ maxLength: 40 }), { nil: undefined }),
          }),
          async ({ method, key, query, headers, body, date, region, service, ...credentials }) => {
            const path = `/${key.split('/').map(encode).join('/')}`
            const all = { ...headers, host: 'bucket.example.com' }
            const signer = new SignatureV4({ service, region, credentials, sha256: Sha256, uriEscapePath: false })
            const parts = { protocol: 'https:', hostname: 'bucket.example.com', path, query, headers: all, body }
            const unsigned: Parameters<SignatureV4['presign']>[0] = { method, ...parts }
            const expected = await signer.sign(unsigned, { signingDate: date })
            const payloadHash = hash('sha256', body ?? '')
            const request = { method, path, query: queryString(query), headers: all, payloadHash }
            expect(sign(request, { date, service, region, credentials })).toEqual(expected.headers)
          },
        ),
        cases(3000),
      )
    },
    patience,
  )

  it('covers the content that was named, and never leaves it open', () => {
    const scope = {
      date: new Date(0),
      service: 's3',
      region: 'us-east-1',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    }
    const request = {
      method: 'PUT',
      path: '/a',
      query: '',
      headers: { host: 'h', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    }
    const [one, other] = ['a', 'b'].map((content) => sign({ ...request, payloadHash: hash('sha256', content) }, scope))
    expect(one?.['x-amz-content-sha256']).toBe(hash('sha256', 'a'))
    expect(one?.authorization).not.toBe(other?.authorization)
  })

  it('is made with a new key on another day, in another region, for another service and with another secret', () => {
    const request = { method: 'GET', path: '/', query: '', headers: { host: 'h' }, payloadHash: hash('sha256', '') }
    const days = ['2026-11-28T23:59:59.999Z', '2026-11-29T00:00:00Z']
    const signatures = days.flatMap((day) =>
      ['us-east-1', 'eu-west-1'].flatMap((region) =>
        ['s3', 'cloudfront'].flatMap((service) =>
          ['one', 'two', 'one'].map((secretAccessKey) => {
            const credentials = { accessKeyId: 'id', secretAccessKey }
            return sign(request, { date: new Date(day), service, region, credentials }).authorization
          }),
        ),
      ),
    )
    expect(new Set(signatures).size).toBe(16)
  })
})

describe('a query', () => {
  it.each<[query: Record<string, string>, sent: string]>([
    [{}, ''],
    [{ delete: '' }, 'delete='],
    [{ b: '1', a: '2', B: '3' }, 'B=3&a=2&b=1'],
    [{ prefix: "a b+c/~*'()!" }, 'prefix=a%20b%2Bc%2F~%2A%27%28%29%21'],
    [{ 'a-b': '1', ab: '2', 'a%': '3' }, 'a%25=3&a-b=1&ab=2'],
  ])('%j is sent as %s', (query, sent) => {
    expect(queryString(query)).toBe(sent)
  })
})

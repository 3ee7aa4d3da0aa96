import { describe, expect, it } from 'vitest'
import { encodePath } from '../../src/urls/paths.js'
import { type BucketAddress, publicUrlOf, usesPathStyle } from '../../src/urls/public-url.js'

const aws: BucketAddress = {
  bucket: 'my-bucket',
  location: 'static',
  region: 'eu-central-1',
  customDomain: undefined,
  protocol: 'https:',
  endpoint: undefined,
  addressingStyle: 'auto',
}

describe('publicUrlOf', () => {
  it.each<[what: string, place: Partial<BucketAddress>, url: string]>([
    ['AWS', {}, 'https://my-bucket.s3.eu-central-1.amazonaws.com/static/'],
    ['AWS, us-east-1', { region: 'us-east-1' }, 'https://my-bucket.s3.us-east-1.amazonaws.com/static/'],
    ['AWS, virtual', { addressingStyle: 'virtual' }, 'https://my-bucket.s3.eu-central-1.amazonaws.com/static/'],
    ['AWS, path', { addressingStyle: 'path' }, 'https://s3.eu-central-1.amazonaws.com/my-bucket/static/'],
    ['AWS, dots', { bucket: 'www.example.com' }, 'https://s3.eu-central-1.amazonaws.com/www.example.com/static/'],
    [
      'AWS, dots, virtual all the same',
      { bucket: 'www.example.com', addressingStyle: 'virtual' },
      'https://www.example.com.s3.eu-central-1.amazonaws.com/static/',
    ],
    ['AWS, http', { protocol: 'http:' }, 'http://my-bucket.s3.eu-central-1.amazonaws.com/static/'],
    [
      'AWS, path, http',
      { protocol: 'http:', addressingStyle: 'path' },
      'http://s3.eu-central-1.amazonaws.com/my-bucket/static/',
    ],
    ['China', { region: 'cn-north-1' }, 'https://my-bucket.s3.cn-north-1.amazonaws.com.cn/static/'],
    [
      'China, dots',
      { region: 'cn-northwest-1', bucket: 'a.b' },
      'https://s3.cn-northwest-1.amazonaws.com.cn/a.b/static/',
    ],
    ['GovCloud', { region: 'us-gov-west-1' }, 'https://my-bucket.s3.us-gov-west-1.amazonaws.com/static/'],
    [
      'the European sovereign cloud',
      { region: 'eusc-de-east-1' },
      'https://my-bucket.s3.eusc-de-east-1.amazonaws.eu/static/',
    ],

    ['the root', { location: '' }, 'https://my-bucket.s3.eu-central-1.amazonaws.com/'],
    ['the root, path', { location: '', addressingStyle: 'path' }, 'https://s3.eu-central-1.amazonaws.com/my-bucket/'],
    ['the root, domain', { location: '', customDomain: 'cdn.example.com' }, 'https://cdn.example.com/'],
    ['folders', { location: 'site/v2/static' }, 'https://my-bucket.s3.eu-central-1.amazonaws.com/site/v2/static/'],
    ['spaces', { location: 'my files' }, 'https://my-bucket.s3.eu-central-1.amazonaws.com/my%20files/'],
    ['signs', { location: 'a+b#c?d%20e' }, 'https://my-bucket.s3.eu-central-1.amazonaws.com/a%2Bb%23c%3Fd%2520e/'],
    ['other scripts', { location: 'größe' }, 'https://my-bucket.s3.eu-central-1.amazonaws.com/gr%C3%B6%C3%9Fe/'],

    ['a domain', { customDomain: 'cdn.example.com' }, 'https://cdn.example.com/static/'],
    ['a domain, http', { customDomain: 'cdn.example.com', protocol: 'http:' }, 'http://cdn.example.com/static/'],
    ['a domain with a port', { customDomain: 'cdn.example.com:8443' }, 'https://cdn.example.com:8443/static/'],
    ['a domain with a path', { customDomain: 'cdn.example.com/site' }, 'https://cdn.example.com/site/static/'],
    ['a domain beats dots', { customDomain: 'cdn.example.com', bucket: 'a.b' }, 'https://cdn.example.com/static/'],
    [
      'a domain beats path',
      { customDomain: 'cdn.example.com', addressingStyle: 'path' },
      'https://cdn.example.com/static/',
    ],
    [
      'a domain beats an endpoint',
      { customDomain: 'cdn.example.com', endpoint: 'https://s3.example.com' },
      'https://cdn.example.com/static/',
    ],

    ['an endpoint', { endpoint: 'https://s3.example.com' }, 'https://s3.example.com/my-bucket/static/'],
    ['an endpoint with a port', { endpoint: 'http://127.0.0.1:9000' }, 'http://127.0.0.1:9000/my-bucket/static/'],
    [
      'an endpoint with a path',
      { endpoint: 'https://gw.example.com/s3/' },
      'https://gw.example.com/s3/my-bucket/static/',
    ],
    ['an endpoint, IPv6', { endpoint: 'http://[::1]:9000' }, 'http://[::1]:9000/my-bucket/static/'],
    [
      'an endpoint, virtual',
      { endpoint: 'https://s3.example.com', addressingStyle: 'virtual' },
      'https://my-bucket.s3.example.com/static/',
    ],
    [
      'an endpoint, virtual, port',
      { endpoint: 'http://localhost:9000', addressingStyle: 'virtual' },
      'http://my-bucket.localhost:9000/static/',
    ],
    ['an endpoint, dots', { endpoint: 'https://s3.example.com', bucket: 'a.b' }, 'https://s3.example.com/a.b/static/'],
    [
      'an endpoint, underscore',
      { endpoint: 'https://s3.example.com', bucket: 'My_Bucket' },
      'https://s3.example.com/My_Bucket/static/',
    ],
    [
      'an endpoint, the root',
      { endpoint: 'https://s3.example.com', location: '' },
      'https://s3.example.com/my-bucket/',
    ],
    [
      'an endpoint, auto as region',
      { endpoint: 'https://account.r2.cloudflarestorage.com', region: 'auto' },
      'https://account.r2.cloudflarestorage.com/my-bucket/static/',
    ],
    // It is the endpoint's own protocol that works.
    [
      'an endpoint, http',
      { endpoint: 'https://s3.example.com', protocol: 'http:' },
      'https://s3.example.com/my-bucket/static/',
    ],
  ])('%s', (_what, place, url) => {
    expect(publicUrlOf({ ...aws, ...place })).toBe(url)
    // What a browser makes of it is the same.
    expect(new URL(url).href).toBe(url)
  })
})

describe('usesPathStyle', () => {
  const endpoint = 'https://s3.example.com'
  it.each<[bucket: string, endpoint: string | undefined, style: BucketAddress['addressingStyle'], path: boolean]>([
    ['my-bucket', undefined, 'auto', false],
    ['my.bucket', undefined, 'auto', true],
    ['my-bucket', endpoint, 'auto', true],
    ['my.bucket', endpoint, 'auto', true],
    ['my-bucket', undefined, 'path', true],
    ['my-bucket', endpoint, 'path', true],
    ['my.bucket', undefined, 'virtual', false],
    ['my-bucket', endpoint, 'virtual', false],
    ['my-bucket', 'http://127.0.0.1:9000', 'virtual', true],
    ['my-bucket', 'https://[fd00::1]/s3', 'virtual', true],
  ])('%s, endpoint %s, %s: %s', (bucket, at, style, path) => {
    expect(usesPathStyle(bucket, at, style)).toBe(path)
  })
})

describe('encodePath', () => {
  it.each<[path: string, encoded: string]>([
    ['assets/index-BxYz1234.js', 'assets/index-BxYz1234.js'],
    ['a b.js', 'a%20b.js'],
    ['a+b.js', 'a%2Bb.js'],
    ['100%.js', '100%25.js'],
    ['a%20b.js', 'a%2520b.js'],
    ['#1?.js', '%231%3F.js'],
    ['a\\b.js', 'a%5Cb.js'],
    ['日本.js', '%E6%97%A5%E6%9C%AC.js'],
    ['😀.js', '%F0%9F%98%80.js'],
    ['[id]/@x/~y/$z.js', '%5Bid%5D/%40x/~y/%24z.js'],
  ])('%s', (path, encoded) => {
    expect(encodePath(path)).toBe(encoded)
    expect(decodeURIComponent(encoded)).toBe(path)
  })
})

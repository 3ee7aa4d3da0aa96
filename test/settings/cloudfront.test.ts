import { describe, expect, it, test } from 'vitest'
import { deploySettings } from '../../fixtures/build/settings.js'
import type { Variables } from '../../src/settings/environment.js'
import type { Options } from '../../src/settings/options.js'

const on = { enabled: true, bucket: 'my-bucket' }
const variable = 'AWS_CLOUDFRONT_DISTRIBUTION_ID'
const [one, two] = ['E1A2B3C4D5E6F7', 'EDFDVBD6EXAMPLE']
const resolve = (options: { [name in keyof Options]?: unknown }, shell: Variables = {}) =>
  deploySettings({ ...on, ...options } as Options, shell)
const problemsOf = (...given: Parameters<typeof resolve>) =>
  resolve(...given).then(
    () => '',
    (error: Error) => error.message,
  )

describe('the distributions', () => {
  const option = 'option `cloudfront.distributionId`'
  it.each<[cloudfront: unknown, shell: Variables, name: string, distributions: string[]]>([
    [{ distributionId: one }, {}, option, [one]],
    [{ distributionId: [one, two, one] }, {}, option, [one, two]],
    [{ distributionId: one }, { [variable]: two }, option, [one]],
    [undefined, { [variable]: one }, variable, [one]],
    [undefined, { [variable]: ` ${one}, ${two},` }, variable, [one, two]],
    // process.env.DISTRIBUTION, where it is not set.
    [{ distributionId: undefined }, { [variable]: one }, variable, [one]],
  ])('of %j and %j', async (cloudfront, shell, name, distributions) => {
    expect((await resolve({ cloudfront }, shell)).cloudfront).toEqual({
      ...{ name, distributions, endpoint: undefined, wait: false },
    })
  })

  it.each([
    [{}],
    [{ cloudfront: {} }],
    [{ cloudfront: { distributionId: [] } }],
    [{ cloudfront: { distributionId: '' } }],
  ])('of %j are none', async (options) => {
    expect((await resolve(options)).cloudfront).toBeUndefined()
    expect((await resolve(options, { [variable]: '' })).cloudfront).toBeUndefined()
  })

  it('have one problem each, with all other problems', async () => {
    const remedy = "use a distribution's ID, such as E1A2B3C4D5E6F7"
    const given = {
      distributionId: ['d1.cloudfront.net', one, `arn:aws:cloudfront::1:distribution/${one}`, 5],
      wait: 1,
      waits: true,
    }
    const message = await problemsOf({ cloudfront: given, bucket: 'a_', onReleased: 'x' })
    expect(message).toContain(`${option} is "d1.cloudfront.net": ${remedy}.`)
    expect(message).toContain(`${option} is "arn:aws:cloudfront::1:distribution/${one}": ${remedy}.`)
    expect(message).toContain(`${option} is 5: ${remedy}.`)
    expect(message).toContain('option `cloudfront.waits` is unknown')
    expect(message).toContain('option `cloudfront.wait` is 1: use true or false.')
    expect(message).toContain('option `onReleased` is "x": use a function of the result.')
    expect(message).toContain('option `bucket` is "a_"')
    expect(await problemsOf({}, { [variable]: 'e1a2b3c4d5e6f7' })).toContain(
      `${variable} is "e1a2b3c4d5e6f7": ${remedy}.`,
    )
    expect(await problemsOf({ cloudfront: one })).toContain(
      'use an object such as { distributionId: "E1A2B3C4D5E6F7" }',
    )
  })
})

test.each<[value: string, more: Variables, endpoint: string | undefined]>([
  ['https://proxy.example.com/cf', {}, 'https://proxy.example.com/cf'],
  ['http://127.0.0.1:4566', { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }, undefined],
])('AWS_ENDPOINT_URL_CLOUDFRONT=%s %j', async (value, more, endpoint) => {
  const shell = { [variable]: one, AWS_ENDPOINT_URL_CLOUDFRONT: value, ...more }
  expect((await resolve({}, shell)).cloudfront?.endpoint).toBe(endpoint)
})

test('an endpoint that is no URL is a problem', async () => {
  const shell = { [variable]: one, AWS_ENDPOINT_URL_CLOUDFRONT: 'cloudfront' }
  expect(await problemsOf({}, shell)).toContain('AWS_ENDPOINT_URL_CLOUDFRONT is "cloudfront": use a URL')
})

test.each([
  [
    'AWS_CLOUDFRONT_DISTRIBUTION',
    one,
    ['AWS_CLOUDFRONT_DISTRIBUTION is not read: the name here is AWS_CLOUDFRONT_DISTRIBUTION_ID'],
  ],
  // django-storages signs URLs with these.
  ['AWS_CLOUDFRONT_KEY_ID', 'K1', []],
  ['AWS_CLOUDFRONT_KEY', '-----BEGIN RSA PRIVATE KEY-----', []],
])('%s', async (name, value, warnings) => {
  expect((await resolve({}, { [name]: value })).warnings).toEqual(warnings)
})

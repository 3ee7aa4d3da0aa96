import { describe, expect, test } from 'vitest'
import { type NuxtOptions, setCdnUrl } from '../../src/frameworks/nuxt.js'
import { withoutTime } from '../../src/frameworks/nuxt-repeatable.js'

describe('Nuxt', () => {
  const options = (cdnURL: string) =>
    ({ app: { cdnURL, baseURL: '/' }, runtimeConfig: { app: { cdnURL } } }) as NuxtOptions

  test.each(['', 'https://cdn.example.com/static', 'https://cdn.example.com/static/'])(
    'app.cdnURL %j is set',
    (given) => {
      const nuxt = options(given)
      setCdnUrl(nuxt, 'https://cdn.example.com/static/')
      expect([nuxt.app.cdnURL, nuxt.runtimeConfig.app.cdnURL]).toEqual(Array(2).fill('https://cdn.example.com/static/'))
    },
  )

  test('another app.cdnURL is refused', () => {
    const set = () => setCdnUrl(options('https://other.example.com/'), 'https://cdn.example.com/static/')
    expect(set).toThrow('static-s3: app.cdnURL is "https://other.example.com/", and the files go to https://cdn.')
  })

  test.each([
    [
      '[{"data":1,"prerenderedAt":3},["Reactive",2],{},1795915164897]',
      '[{"data":1,"prerenderedAt":3},["Reactive",2],{},1]',
    ],
    [
      '<p>1795915164897</p><script>[{"prerenderedAt":1,"path":2},1795915164897,"\\u002F"]</script><script>[1795915164897]</script>',
      '<p>1795915164897</p><script>[{"prerenderedAt":1,"path":2},1,"\\u002F"]</script><script>[1795915164897]</script>',
    ],
    ['[{"data":1},1795915164897]', '[{"data":1},1795915164897]'],
    ['{"prerenderedAt":1795915164897}', '{"prerenderedAt":1795915164897}'],
  ])('the time in %s', (content, expected) => expect(withoutTime(content)).toBe(expected))
})

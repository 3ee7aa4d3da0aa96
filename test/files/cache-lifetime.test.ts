import { describe, expect, it } from 'vitest'
import { secondsWithoutRevalidation } from '../../src/files/cache-lifetime.js'

const year = 31_536_000
const byGuess = Number.POSITIVE_INFINITY

describe('seconds without revalidation', () => {
  it.each<[cacheControl: string, seconds: number]>([
    ['max-age=60', 60],
    ['public, max-age=60', 60],
    ['public,max-age=60,immutable', 60],
    ['MAX-AGE=60', 60],
    ['max-age="60"', 60],
    ['max-age = 60', 60],
    ['max-age=0', 0],
    ['max-age=-1', 0],
    ['max-age=soon', 0],
    ['max-age', 0],
    ['max-age=60, s-maxage=31536000', year],
    ['s-maxage=31536000, max-age=60', year],
    ['max-age=60, max-age=31536000', year],
    ['max-age=31536000, max-age=60', year],
    ['max-age=31536000;', year],
    // RFC 9111, 5.2.2.4: with field names, it is about these fields alone.
    ['public, max-age=31536000, no-cache="Set-Cookie"', year],
    ['no-cache="Set-Cookie, X-Other", max-age=31536000', year],
    ['no-cache=Set-Cookie, max-age=31536000', year],
    ['no-cache, max-age=31536000', 0],
    ['max-age=31536000, No-Store', 0],
    ['no-cache', 0],
    // RFC 5861
    ['max-age=60, stale-while-revalidate=31536000', 60 + year],
    ['max-age=0, stale-while-revalidate=31536000', year],
    ['max-age=60, must-revalidate, stale-while-revalidate=31536000', 60],
    ['no-cache, stale-while-revalidate=31536000', 0],
    // A quoted string is no directive, nor is a part of a name.
    ['max-age=31536000, ext="a, no-store, b"', year],
    ['max-age=31536000, ext="\\", no-store, "', year],
    ['max-age=31536000, x-no-store', year],
    ['max-age=60, x-max-age=31536000', 60],
    ['ext="max-age=31536000", max-age=60', 60],
    ['', byGuess],
    ['public', byGuess],
    ['immutable', byGuess],
    ['must-revalidate', byGuess],
    ['s-maxage=60', byGuess],
    [',,, =, "', byGuess],
  ])('%s', (cacheControl, seconds) => {
    expect(secondsWithoutRevalidation(cacheControl)).toBe(seconds)
  })

  it('takes no time, whatever the text', () => {
    const began = performance.now()
    for (const piece of ['"', '\\"', 'a="', 'max-age=', ' ', 'a ', ', '])
      secondsWithoutRevalidation(piece.repeat(50_000))
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

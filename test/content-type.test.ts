import mime from 'mime-types'
import { expect, it } from 'vitest'
import { commonTypes, contentType } from '../src/core/content-type.js'

it.each([...commonTypes])('%s is %s, as mime-types has it', (ending, type) => {
  expect(mime.contentType(ending) || 'application/octet-stream').toBe(type)
  expect(contentType(`assets/name${ending.toUpperCase()}`)).toBe(type)
})

it('any other ending is what mime-types says', () => {
  const endings = Object.keys(mime.types).filter((ending) => ending !== 'cjs')
  expect(endings.length).toBeGreaterThan(1000)
  for (const ending of endings) expect(contentType(`name.${ending}`), ending).toBe(mime.contentType(`.${ending}`))
})

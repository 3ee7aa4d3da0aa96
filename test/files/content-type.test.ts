import mime from 'mime-types'
import { expect, it } from 'vitest'
import { contentType } from '../../src/files/headers.js'

it.each([
  ['index.html', 'text/html; charset=utf-8'],
  ['assets/app-aB3dE5fG.js', 'text/javascript; charset=utf-8'],
  ['app.mjs', 'text/javascript; charset=utf-8'],
  ['app.cjs', 'text/javascript; charset=utf-8'],
  ['app.css', 'text/css; charset=utf-8'],
  ['app.js.map', 'application/json; charset=utf-8'],
  ['data.json', 'application/json; charset=utf-8'],
  ['app.webmanifest', 'application/manifest+json; charset=utf-8'],
  ['LOGO.SVG', 'image/svg+xml'],
  ['logo.avif', 'image/avif'],
  ['favicon.ico', 'image/vnd.microsoft.icon'],
  ['font.woff2', 'font/woff2'],
  ['app.wasm', 'application/wasm'],
  ['app.js.br', 'application/octet-stream'],
  ['app.js.gz', 'application/gzip'],
  ['.well-known/apple-app-site-association', 'application/json; charset=utf-8'],
  ['CNAME', 'application/octet-stream'],
  ['name.', 'application/octet-stream'],
  ['name.unheard-of', 'application/octet-stream'],
])('%s is %s', (path, type) => {
  expect(contentType(path)).toBe(type)
})

it('mime-types decides for all other endings', () => {
  const endings = Object.keys(mime.types).filter((ending) => ending !== 'cjs')
  expect(endings.length).toBeGreaterThan(1000)
  for (const ending of endings) expect(contentType(`name.${ending}`), ending).toBe(mime.contentType(`.${ending}`))
})

import { readFileSync } from 'node:fs'
import { ask } from '../../../src/core/ask.js'
import { prepare } from '../../../src/core/prepare.js'

/*
 * Publishes a folder as the adapters do, but that nothing is built meanwhile: `publish-folder.js FOLDER FINGERPRINTED.json`, where the latter has
 * the paths that a bundler would have named by their content.
 */

const [dir = '', fingerprintedFile = ''] = process.argv.slice(2)
// What a bundler has in memory anyway.
const fingerprinted = new Set(JSON.parse(readFileSync(fingerprintedFile, 'utf8')) as string[])
const before = process.memoryUsage.rss()

const resolved = await prepare({
  options: {},
  build: { watch: false, whyNotProduction: undefined, mode: 'production' },
  envDir: false,
})
if (!resolved.on) throw new Error(resolved.because)
const { settings } = resolved
const asked = ask(settings)
const { publish } = await import('../../../src/core/publish.js')
await publish({
  settings,
  asked,
  outputs: [{ dir, emitted: fingerprinted, fingerprinted }],
  before: new Map(),
  notOurs: [],
  base: '/',
  bundler: 'none',
  logger: { info: console.log, warn: console.warn },
  terminal: undefined,
})

const peak = process.resourceUsage().maxRSS * (process.platform === 'darwin' ? 1 : 1024)
console.log(`FIGURES ${JSON.stringify({ before, peak })}`)

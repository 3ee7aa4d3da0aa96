import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { reloadOnMissingChunk } from '../../src/client/missing-chunk.js'
import { onNewRelease } from '../../src/client/new-release.js'
import { releaseFile } from '../../src/files/built-file.js'

const cdn = 'https://cdn.example/static/'

class Script {
  dataset: Record<string, string> = {}
  constructor(readonly src: string) {}
}

/** A page's window. `load` makes it another page of the same tab. */
function openTab() {
  const stored = new Map<string, string>()
  const tab = {
    reloads: 0,
    scripts: [] as Script[],
    listeners: [] as [type: string, listener: (event: object) => void][],
    document: Object.assign(new EventTarget(), { scripts: [] as Script[], visibilityState: 'visible' }),
    navigator: { onLine: true },
    navigation: 'navigate',
    storage: {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
    },
    load(entry: string, navigation = 'reload') {
      tab.listeners = []
      tab.document.scripts = [new Script(`${cdn}${entry}`), new Script(`https://ads.example/${Math.random()}.js`)]
      tab.navigation = navigation
      stubGlobals()
      reloadOnMissingChunk()
    },
    fail(type: string, fields: object = {}) {
      const before = tab.reloads
      for (const [listened, listener] of tab.listeners) if (listened === type) listener(fields)
      return tab.reloads - before
    },
  }
  function stubGlobals() {
    const globals = {
      window: {},
      document: tab.document,
      navigator: tab.navigator,
      addEventListener: (...listener: (typeof tab.listeners)[number]) => tab.listeners.push(listener),
      location: { origin: 'https://page.example', reload: () => tab.reloads++ },
      performance: { getEntriesByType: () => [{ type: tab.navigation }] },
      HTMLScriptElement: Script,
    }
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value)
    Object.defineProperty(globalThis, 'sessionStorage', { configurable: true, get: () => tab.storage })
  }
  stubGlobals()
  return tab
}

let tab: ReturnType<typeof openTab>

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubEnv('STATIC_URL', cdn)
  tab = openTab()
})
afterEach(() => {
  vi.unstubAllEnvs()
  // First: the stubbed `performance` stands in for the faked one.
  vi.unstubAllGlobals()
  vi.useRealTimers()
  Reflect.deleteProperty(globalThis, 'sessionStorage')
})

const rejection = (message: string, name = 'TypeError') => ({ reason: Object.assign(new Error(message), { name }) })

describe('reloadOnMissingChunk', () => {
  test.each<[what: string, reloads: number, type: string, fields?: object]>([
    ['Vite', 1, 'vite:preloadError'],
    ['webpack', 1, 'unhandledrejection', rejection(`Loading chunk 7 failed.\n(error: ${cdn}7.js)`, 'ChunkLoadError')],
    ['Chromium', 1, 'unhandledrejection', rejection(`Failed to fetch dynamically imported module: ${cdn}a.js`)],
    ['Firefox', 1, 'unhandledrejection', rejection(`error loading dynamically imported module: ${cdn}a.js`)],
    ['Safari', 1, 'unhandledrejection', rejection('Importing a module script failed.')],
    [
      'a module on the page’s origin',
      1,
      'unhandledrejection',
      rejection('Failed to fetch dynamically imported module: https://page.example/a.js'),
    ],
    [
      'another origin’s module',
      0,
      'unhandledrejection',
      rejection('Failed to fetch dynamically imported module: https://ads.example/a.js'),
    ],
    ['another error', 0, 'unhandledrejection', rejection('Failed to fetch')],
    ['no error at all', 0, 'unhandledrejection', { reason: undefined }],
  ])('%s: %i', (_what, reloads, type, fields) => {
    tab.load('app-1.js', 'navigate')
    expect(tab.fail(type, fields)).toBe(reloads)
  })

  test.each([
    ['data-webpack', 'webpack', `${cdn}7.js`, 1],
    ['data-rspack', 'rspack', `${cdn}7.js`, 1],
    ['a script that no bundler loads', 'other', `${cdn}7.js`, 0],
    ['another origin', 'webpack', 'https://ads.example/7.js', 0],
  ])('a script that does not load: %s', (_what, name, src, reloads) => {
    tab.load('app-1.js', 'navigate')
    const target = Object.assign(new Script(src), { dataset: { [name]: 'shop:chunk-7' } })
    expect(tab.fail('error', { target })).toBe(reloads)
  })

  test('once for a release: a reload that brings the same page back has not helped', () => {
    tab.load('app-1.js', 'navigate')
    expect([tab.fail('vite:preloadError'), tab.fail('vite:preloadError')]).toEqual([1, 0])
    tab.load('app-1.js')
    expect(tab.fail('vite:preloadError')).toBe(0)
    // Two servers with different releases take turns.
    tab.load('app-2.js')
    expect(tab.fail('vite:preloadError')).toBe(1)
    tab.load('app-1.js')
    expect(tab.fail('vite:preloadError')).toBe(0)
    tab.load('app-2.js')
    expect(tab.fail('vite:preloadError')).toBe(0)
    vi.advanceTimersByTime(3_600_001)
    expect(tab.fail('vite:preloadError')).toBe(1)
  })

  test('offline, the page stays, and may be reloaded later', () => {
    tab.load('app-1.js', 'navigate')
    tab.navigator.onLine = false
    expect(tab.fail('vite:preloadError')).toBe(0)
    tab.navigator.onLine = true
    expect(tab.fail('vite:preloadError')).toBe(1)
  })

  test('if the storage is forbidden or full, a page that was reloaded is not reloaded again', () => {
    const refuse = () => {
      throw new DOMException('', 'SecurityError')
    }
    for (const storage of [
      { ...tab.storage, setItem: refuse },
      { getItem: refuse, setItem: refuse },
    ]) {
      tab.storage = storage
      tab.load('app-1.js', 'navigate')
      expect(tab.fail('vite:preloadError')).toBe(1)
      tab.load('app-1.js')
      expect(tab.fail('vite:preloadError')).toBe(0)
    }
    Object.defineProperty(globalThis, 'sessionStorage', { configurable: true, get: refuse })
    expect(tab.fail('vite:preloadError')).toBe(0)
  })

  test.each(['/', './', ''])('nothing happens with STATIC_URL "%s"', (url) => {
    vi.stubEnv('STATIC_URL', url)
    tab.load('app-1.js', 'navigate')
    expect(tab.fail('vite:preloadError')).toBe(0)
  })
})

describe('onNewRelease', () => {
  let answers: (Response | Error)[]
  let requests: { url: string; cache: string }[]
  let calls = 0
  const release = (id: string) => Response.json({ release: id })
  const answerWith = (...next: (Response | Error)[]) => answers.push(...next)
  const wait = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000)
  const comeBack = async () => {
    tab.document.dispatchEvent(new Event('visibilitychange'))
    await wait(0)
  }

  beforeEach(() => {
    answers = []
    requests = []
    calls = 0
    vi.stubGlobal('fetch', async (url: URL, { cache }: RequestInit) => {
      requests.push({ url: url.href, cache: String(cache) })
      const answer = answers.shift()
      if (answer instanceof Response) return answer
      throw answer ?? new TypeError('Failed to fetch')
    })
  })
  const watch = (...options: unknown[]) => onNewRelease(() => calls++, ...(options as []))

  test('calls back once, after another answer than the first, and requests nothing more', async () => {
    answerWith(release('1'), release('1'), release('2'))
    watch()
    await wait(0)
    await wait(300)
    expect([requests.length, calls]).toEqual([2, 0])
    await comeBack()
    expect([requests.length, calls]).toEqual([3, 1])
    await wait(3000)
    await comeBack()
    expect([requests.length, calls]).toEqual([3, 1])
    expect(requests[0]).toEqual({ url: `${cdn}release.json#static-s3`, cache: 'no-store' })
  })

  test('no answer, a CDN’s page and a server’s error are no release', async () => {
    answerWith(new TypeError('offline'), release('1'), new Response('<html>'), new Response('{}', { status: 503 }))
    answerWith(new Response('', { status: 403 }), new TypeError('offline'), release('1'))
    watch()
    await wait(6 * 300)
    expect([requests.length, calls]).toEqual([7, 0])
    answerWith(release('2'))
    await wait(300)
    expect(calls).toBe(1)
  })

  test.each([403, 404])('without the file (%i) it stops', async (status) => {
    answerWith(new Response('', { status }))
    watch()
    await wait(3000)
    await comeBack()
    expect([requests.length, calls]).toEqual([1, 0])
  })

  test('a hidden page requests only the first answer; the interval is an option; the returned function ends it', async () => {
    tab.document.visibilityState = 'hidden'
    answerWith(release('1'), release('1'), release('2'))
    const end = watch({ intervalSeconds: 60 })
    await wait(600)
    expect(requests).toHaveLength(1)
    tab.document.visibilityState = 'visible'
    await wait(60)
    expect(requests).toHaveLength(2)
    end()
    await wait(600)
    expect([requests.length, calls]).toEqual([2, 0])
  })

  test.each(['/', undefined])('with STATIC_URL %s, or on a server, it requests nothing', async (url) => {
    if (url !== undefined) vi.stubEnv('STATIC_URL', url)
    else vi.stubGlobal('window', undefined)
    watch()
    await wait(600)
    expect(requests).toEqual([])
  })
})

test('the deploy searches for the text that the browser’s code contains', () => {
  expect(readFileSync('src/client/new-release.ts', 'utf8')).toContain(`'${releaseFile}#static-s3'`)
})

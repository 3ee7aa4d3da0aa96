// Browsers refuse `new Worker(url)` for a URL on another origin, with or without CORS. A Blob belongs to the page's origin and may import a
// script from anywhere. But a Blob has no path for relative URLs, and a dynamic import may end after the first message has arrived.
// LOAD_SCRIPT makes up for both.

/**
 * The Blob's code, a function for dedicated and shared workers, classic and module ones.
 *
 * No bundler rewrites a plain string in a worker. So `fetch('/api/')` stays on the page's origin, and `importScripts('./lib.js')` finds the file
 * beside the script in the bucket.
 */
const LOAD_SCRIPT = `(script, isModule, root) => {
  self.__staticS3Root = root
  const resolve = (url) =>
    typeof url === 'string' ? new URL(url, url[0] === '/' ? location.origin : script).href : url
  for (const name of ['Request', 'EventSource', 'WebSocket', 'Worker', 'SharedWorker']) {
    if (self[name]) self[name] = new Proxy(self[name], {
      construct: (target, [url, ...rest], newTarget) => Reflect.construct(target, [resolve(url), ...rest], newTarget)
    })
  }
  const { fetch, importScripts, XMLHttpRequest: { prototype: xhr } } = self
  const { open } = xhr
  self.fetch = async (url, options) => fetch(resolve(url), options)
  xhr.open = function (method, url, ...rest) { return open.call(this, method, resolve(url), ...rest) }
  if (!isModule) {
    self.importScripts = (...urls) => importScripts(...urls.map(resolve))
    return importScripts(script)
  }
  const types = ['connect', 'message', 'messageerror']
  const held = []
  const hold = (event) => { event.stopImmediatePropagation(); held.push(event) }
  for (const type of types) addEventListener(type, hold)
  import(script).then(() => {
    for (const type of types) removeEventListener(type, hold)
    for (const event of held) dispatchEvent(new MessageEvent(event.type, event))
  }).catch((error) => setTimeout(() => { throw error }))
}`

/**
 * Turns a script's URL into a worker's URL, the same one each time, so that a page has one SharedWorker. It says `self.` everywhere, because a
 * module around it may define its own `location` or `URL`.
 */
const WORKER_URL = `function (script, root) {
  if (new self.URL(script).origin === self.location.origin) return script
  var urls = self.__staticS3Workers || (self.__staticS3Workers = {})
  return urls[script] || (urls[script] = self.URL.createObjectURL(new self.Blob(
    [${JSON.stringify(`(${dedent(LOAD_SCRIPT)})(`)} + JSON.stringify(script) + ', this === undefined, ' + JSON.stringify(root) + ')'],
    { type: 'text/javascript' }
  )))
}`

/**
 * The same without a member expression such as `self.URL`. Vite 8.4 gives this code to Rolldown as a part of the module around it, and Rolldown
 * mistakes some of its member expressions for members of the module's `import * as`.
 */
const WORKER_URL_IN_MODULE = `(script, root) => {
  const { URL, Blob, location: { origin: own }, __staticS3Workers: urls = {} } = self
  const { assign } = Object
  const { stringify } = JSON
  const { origin } = new URL(script)
  if (origin === own) return script
  const { createObjectURL } = URL
  const { [script]: made = createObjectURL(new Blob(
    [${JSON.stringify(`(${dedent(LOAD_SCRIPT)})(`)} + stringify(script) + ', this === undefined, ' + stringify(root) + ')'],
    { type: 'text/javascript' }
  )) } = urls
  assign(urls, { [script]: made })
  assign(self, { __staticS3Workers: urls })
  return made
}`

/**
 * A JavaScript expression for the URL in `new Worker` or `new SharedWorker`.
 *
 * Its value is the script's own URL on the page's origin, and otherwise a Blob URL. The Blob loads the script, by `importScripts` in a classic
 * worker and by `import` in a module worker. If that fails, the Worker gets an `error` event. A Content-Security-Policy needs `worker-src blob:`.
 *
 * @param urlExpression JavaScript for the script's absolute URL, such as `JSON.stringify(url)`
 * @param rootExpression JavaScript for the output folder's URL, which the worker then has in `self.__staticS3Root`
 */
export function workerBlobUrl(urlExpression: string, rootExpression = 'undefined'): string {
  return `(${dedent(WORKER_URL)})(${urlExpression}, ${rootExpression})`
}

/** The same in a module, whose browsers know ES2015. */
export function workerBlobUrlInModule(urlExpression: string, rootExpression = 'undefined'): string {
  return `(${dedent(WORKER_URL_IN_MODULE)})(${urlExpression}, ${rootExpression})`
}

function dedent(source: string): string {
  return source.replace(/\n\s+/g, '\n')
}

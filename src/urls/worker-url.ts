// Browsers refuse `new Worker(url)` when the URL is on another origin, CORS or not. A Blob belongs to the page's origin, and may
// import a script from anywhere. What a Blob lacks, next to the script itself: a path to resolve relative URLs against, and (when
// it imports dynamically) the platform's promise that no message arrives before the script has run. The body makes up for both.

/**
 * Body of the Blob: JavaScript that calls `(script, isModule)`. Runs in dedicated and shared workers, classic and module ones.
 *
 * Relative URLs: a plain string in a worker is rewritten by no bundler and stays with the page (`fetch('/api/')`), except one
 * that is relative to the script itself, which lies beside it in the bucket (`importScripts('./lib.js')`).
 */
const LOAD_SCRIPT = `(script, isModule) => {
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
 * Turns a script's URL into the URL to construct a worker from. Kept per URL, so that a page's SharedWorkers stay one. `self.` all
 * over, because this lands in modules that may have a `location` or `URL` of their own.
 */
const WORKER_URL = `function (script) {
  if (new self.URL(script).origin === self.location.origin) return script
  var urls = self.__staticS3Workers || (self.__staticS3Workers = {})
  return urls[script] || (urls[script] = self.URL.createObjectURL(new self.Blob(
    [${JSON.stringify(`(${dedent(LOAD_SCRIPT)})(`)} + JSON.stringify(script) + ', this === undefined)'],
    { type: 'text/javascript' }
  )))
}`

/**
 * A JavaScript expression for the URL to hand to `new Worker` or `new SharedWorker` in place of a script's own.
 *
 * On the page's own origin that is the script's URL. From any other it is a Blob URL whose script loads the real one, by
 * `importScripts` in a classic worker and by `import` in a module worker, whichever the caller constructs. When the script can't
 * be loaded, the Worker gets an `error` event. Needs `worker-src blob:` where the page has a Content-Security-Policy.
 *
 * @param urlExpression JavaScript that yields the script's absolute URL as a string; `JSON.stringify(url)` for a known one.
 */
export function workerBlobUrl(urlExpression: string): string {
  return `(${dedent(WORKER_URL)})(${urlExpression})`
}

function dedent(source: string): string {
  return source.replace(/\n\s+/g, '\n')
}

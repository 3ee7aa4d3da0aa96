import { workerBlobUrl } from '../urls/worker-url.js'
import { type Compiler, pluginName } from './compiler.js'
import type { PageUrls } from './pages.js'

interface Chunk {
  hasRuntime(): boolean
  groupsIterable: Iterable<{ isInitial(): boolean }>
}

interface Compilation {
  chunks: Iterable<Chunk>
  addRuntimeModule(chunk: Chunk, module: unknown): void
  hooks: { additionalTreeRuntimeRequirements: { tap(name: string, fn: (chunk: Chunk) => void): void } }
}

/**
 * Lets webpack's and Rspack's workers run although their files are on another origin than the page.
 *
 * Neither bundler lets a plugin decide about the URL in `new Worker(new URL(…))`. So each runtime of a compilation with workers first
 * wraps the realm's `Worker` and `SharedWorker`: a URL below the public URL becomes one that a worker can be constructed from, and any
 * other URL passes through. A service worker is registered from the page's own origin, which still has its file. A compilation without
 * workers does not change.
 *
 * Call it in `apply`. The code of a runtime module counts into the chunk's `[contenthash]`, and so does the public URL in it.
 *
 * @param origins called after `beforeRun`; undefined if no URL is rewritten
 */
export function runWorkersFrom(compiler: Compiler, origins: () => PageUrls | undefined): void {
  const { RuntimeModule } = compiler.webpack

  class WorkerOriginRuntimeModule extends RuntimeModule {
    constructor(readonly origins: PageUrls) {
      super('static-s3 workers')
    }

    generate(): string {
      return wrapConstructors(this.origins)
    }
  }

  compiler.hooks.thisCompilation.tap(pluginName, (compilation: Compilation) => {
    const rewritten = origins()
    if (!rewritten) return
    compilation.hooks.additionalTreeRuntimeRequirements.tap(pluginName, (chunk) => {
      if (hasWorkers(compilation)) compilation.addRuntimeModule(chunk, new WorkerOriginRuntimeModule(rewritten))
    })
  })
}

/** A worker has an entrypoint and so a runtime, but is not initial. */
function hasWorkers({ chunks }: Compilation): boolean {
  for (const chunk of chunks) {
    if (!chunk.hasRuntime()) continue
    for (const group of chunk.groupsIterable) if (!group.isInitial()) return true
  }
  return false
}

/** Wraps once per realm and URL, even if there are several runtimes. A Proxy keeps `instanceof`, static properties and subclasses working. */
function wrapConstructors({ publicUrl, base, isRelative }: PageUrls): string {
  // Escaped, as in the URL object that the page passes.
  const url = new URL(publicUrl).href
  // The page resolves it.
  const root = isRelative ? './' : base
  return `
if (typeof self === 'object' && typeof Proxy === 'function') {
  var installed = Symbol.for(${JSON.stringify(`static-s3 ${url}`)});
  if (!self[installed]) {
    self[installed] = true;
    ['Worker', 'SharedWorker'].forEach(function (name) {
      if (self[name]) self[name] = new Proxy(self[name], {
        construct: function (target, args, newTarget) {
          if (String(args[0]).indexOf(${JSON.stringify(url)}) === 0) {
            args = [${workerBlobUrl('String(args[0])')}].concat(args.slice(1));
          }
          return Reflect.construct(target, args, newTarget);
        }
      });
    });
    if (self.ServiceWorkerContainer) {
      var container = self.ServiceWorkerContainer.prototype;
      var register = container.register;
      container.register = function (script, options) {
        var url = String(script);
        var ours = url.indexOf(${JSON.stringify(url)}) === 0;
        return register.call(this, ours ? ${JSON.stringify(root)} + url.slice(${url.length}) : script, options);
      };
    }
  }
}
`
}

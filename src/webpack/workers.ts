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
  hooks: {
    additionalTreeRuntimeRequirements: {
      tap(name: string, fn: (chunk: Chunk, requirements: Set<string>) => void): void
    }
  }
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
  const { RuntimeModule, RuntimeGlobals } = compiler.webpack

  class WorkerOriginRuntimeModule extends RuntimeModule {
    constructor(readonly code: string) {
      // After the bundler's code for the public path.
      super('static-s3 workers', RuntimeModule.STAGE_TRIGGER)
    }

    generate(): string {
      return this.code
    }
  }

  compiler.hooks.thisCompilation.tap(pluginName, (compilation: Compilation) => {
    const rewritten = origins()
    if (!rewritten) return
    compilation.hooks.additionalTreeRuntimeRequirements.tap(pluginName, (chunk, requirements) => {
      if (rewritten.isAuto) requirements.add(RuntimeGlobals.publicPath)
      const code = [
        ...(rewritten.isAuto ? [completePublicPath] : []),
        ...(hasWorkers(compilation) ? [wrapConstructors(rewritten)] : []),
      ]
      if (code.length > 0) compilation.addRuntimeModule(chunk, new WorkerOriginRuntimeModule(code.join('')))
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

/**
 * With `publicPath: 'auto'`, a script finds the public URL by its own URL: `https://…/js/../`. A worker whose own URL is a Blob gets it from the page.
 */
const completePublicPath = `
if (typeof self === 'object') __webpack_require__.p = self.__staticS3Root || new URL(__webpack_require__.p).href;
`

/** Wraps once per realm and URL, even if there are several runtimes. A Proxy keeps `instanceof`, static properties and subclasses working. */
function wrapConstructors({ publicUrl, base, isRelative, isAuto }: PageUrls): string {
  // Escaped, as in the URL object that the page passes.
  const url = isAuto ? '__webpack_require__.p' : JSON.stringify(new URL(publicUrl).href)
  // The page resolves it.
  const root = isRelative ? './' : base
  return `
if (typeof self === 'object' && typeof Proxy === 'function') {
  var publicUrl = ${url};
  var installed = Symbol.for('static-s3 ' + publicUrl);
  if (!self[installed]) {
    self[installed] = true;
    ['Worker', 'SharedWorker'].forEach(function (name) {
      if (self[name]) self[name] = new Proxy(self[name], {
        construct: function (target, args, newTarget) {
          if (String(args[0]).indexOf(publicUrl) === 0) {
            args = [${workerBlobUrl('String(args[0])', isAuto ? 'publicUrl' : undefined)}].concat(args.slice(1));
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
        var ours = url.indexOf(publicUrl) === 0;
        return register.call(this, ours ? ${JSON.stringify(root)} + url.slice(publicUrl.length) : script, options);
      };
    }
  }
}
`
}

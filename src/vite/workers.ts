import type { Plugin } from 'vite'
import { withSlashes } from '../urls/paths.js'
import { watchFingerprints } from './fingerprints.js'
import { OutputRoots } from './output-root.js'

/** Knowledge from the builds that Vite runs for workers. */
export interface WorkerBuilds {
  /** For Vite's `worker.plugins`, beside the user's own. */
  plugins: () => Plugin[]
  /** Whether a browser runs this file as a worker's script. Known before Vite asks for the file's URL. */
  isWorkerEntry: (fileName: string) => boolean
  /** The workers' files that the bundler named by their content. */
  fingerprinted: ReadonlySet<string>
}

/** An AudioWorklet or CSS worklet has to call one of these. A minifier cannot rename them. */
const REGISTERS_WORKLET = /\bregister(?:Processor|Paint|Layout|Animator)\b/

/**
 * Watches the builds that Vite runs for workers. The main build sees their files only as assets, among which an entry looks like any
 * other script. A nested worker gets its own build too.
 *
 * A worklet (`addModule` of a `?worker&url`) also goes through a worker build. It is no entry here: browsers load it from any origin,
 * and it cannot import a script dynamically.
 */
export function watchWorkerBuilds(roots: () => OutputRoots = () => new OutputRoots()): WorkerBuilds {
  const entries = new Set<string>()
  const fingerprinted = new Set<string>()
  const fingerprints = watchFingerprints()
  const plugin: Plugin = {
    name: 'static-s3:workers',
    outputOptions: fingerprints.outputOptions,
    renderChunk: {
      order: 'pre',
      handler: (code, { fileName, isEntry }, { format }) =>
        roots().render(code, fileName, format, isEntry ? 'worker entry' : 'page'),
    },
    // Vite 8 asks for some URLs before it renders the chunk.
    resolveFileUrl: {
      order: 'pre',
      handler({ chunkId, format }) {
        roots().note(chunkId, format, 'worker entry')
        return undefined
      },
    },
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const path of fingerprints.of(bundle)) fingerprinted.add(path)
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
        if (chunks.some((chunk) => REGISTERS_WORKLET.test(chunk.code))) return
        for (const chunk of chunks) if (chunk.isEntry) entries.add(withSlashes(chunk.fileName))
      },
    },
  }
  return { plugins: () => [plugin], isWorkerEntry: (fileName) => entries.has(fileName), fingerprinted }
}

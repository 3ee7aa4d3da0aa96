import type { Plugin, Rollup } from 'vite'

/** What static-s3 learns from the builds that Vite runs for workers. */
export interface WorkerBuilds {
  /** For Vite's `worker.plugins`, beside the user's own. */
  plugins: () => Plugin[]
  /** Whether a browser runs this file as a worker's script. Settled before Vite asks for the file's URL. */
  isWorkerEntry: (fileName: string) => boolean
}

/** An AudioWorklet or CSS worklet has to call one of these, and a minifier can't rename them. */
const REGISTERS_WORKLET = /\bregister(?:Processor|Paint|Layout|Animator)\b/

/**
 * Watches the builds that Vite runs for workers. They are builds of their own: the main build sees their files only as assets, by
 * which an entry looks like any other script. A nested worker gets its own build too.
 *
 * A worklet (`addModule` of a `?worker&url`) goes through a worker build as well, yet isn't an entry here: browsers load it from
 * any origin, and it can't import a script dynamically.
 *
 * @param onBundle gets each worker build's output, once for each build; also that of `?worker&inline`, which Vite never emits.
 */
export function watchWorkerBuilds(
  onBundle: (options: Rollup.NormalizedOutputOptions, bundle: Rollup.OutputBundle) => void,
): WorkerBuilds {
  const entries = new Set<string>()
  const plugin: Plugin = {
    name: 'static-s3:workers',
    generateBundle: {
      order: 'post',
      handler(options, bundle) {
        onBundle(options, bundle)
        const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
        if (chunks.some((chunk) => REGISTERS_WORKLET.test(chunk.code))) return
        for (const chunk of chunks) if (chunk.isEntry) entries.add(chunk.fileName)
      },
    },
  }
  return { plugins: () => [plugin], isWorkerEntry: (fileName) => entries.has(fileName) }
}

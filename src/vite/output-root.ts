import { StaticS3Error } from '../runtime/error.js'
import type { Settings } from '../settings/settings.js'

/** Stands for the output folder's URL in code that does not know its own place yet. */
export const rootPlaceholder = '__STATIC_S3_OUTPUT_ROOT__'

/** What runs a chunk. The entry of a worker may run as a classic script although it is built as a module, and then has no `import.meta`. */
export type Host = 'page' | 'worker entry' | 'server'

/** The output folder's URL in code. With `rewrite: 'relative'`, each chunk computes it from its own URL. */
export class OutputRoots {
  readonly #expressions = new Map<string, string>()
  readonly #workerEntries = new Set<string>()
  #settings: Pick<Settings, 'publicUrl' | 'rewrite'> | undefined

  /** @param settings undefined if the build stays on disk */
  begin(settings: Pick<Settings, 'publicUrl' | 'rewrite'> | undefined): void {
    this.#settings = settings
    this.#expressions.clear()
    this.#workerEntries.clear()
  }

  /**
   * Notes a chunk before Vite puts URLs into it, and replaces the placeholders in its code.
   *
   * @param format Rollup's name for the format of the chunk
   */
  render(code: string, chunk: string, format: string, host: Host): { code: string; map: null } | undefined {
    this.note(chunk, format, host)
    if (!this.#settings || !code.includes(rootPlaceholder)) return undefined
    const { publicUrl, rewrite } = this.#settings
    const root = rewrite === 'relative' && host !== 'server' ? this.in(chunk) : JSON.stringify(publicUrl)
    return { code: code.replaceAll(rootPlaceholder, root), map: null }
  }

  note(chunk: string, format: string, host: Host): void {
    if (this.#settings?.rewrite !== 'relative' || host === 'server') return
    this.#expressions.set(chunk, expressionIn(chunk, format, host))
    if (host === 'worker entry') this.#workerEntries.add(chunk)
    else this.#workerEntries.delete(chunk)
  }

  /** The public URL, if it gets into chunks after they were named. */
  get urlInChunks(): string | undefined {
    const { rewrite, publicUrl } = this.#settings ?? {}
    return rewrite && rewrite !== 'relative' ? publicUrl : undefined
  }

  isWorkerEntry(chunk: string): boolean {
    return this.#workerEntries.has(chunk)
  }

  /** The expression in a chunk. */
  in(chunk: string): string {
    return this.#expressions.get(chunk) ?? expressionIn(chunk, 'es', 'page')
  }
}

/** @throws StaticS3Error on a format whose code does not know its own URL when it runs later */
function expressionIn(chunk: string, format: string, host: Host): string {
  const up = JSON.stringify('../'.repeat(chunk.split(/[\\/]/).length - 1) || './')
  // A page starts a worker from a Blob, and passes the folder's URL to it.
  if (host === 'worker entry') return `(self.__staticS3Root || new self.URL(${up}, self.location.href).href)`
  if (format === 'es') return `new self.URL(${up}, import.meta.url).href`
  if (format === 'system') return `new self.URL(${up}, module.meta.url).href`
  throw new StaticS3Error(
    `static-s3: rewrite is "relative", and output.format is "${format}", whose scripts do not know their own URL: build ES modules, or use rewrite: 'urls'`,
  )
}

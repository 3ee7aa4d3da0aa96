import type { Plugin, ResolvedConfig } from 'vite'

/** A change to a framework's own code, at a place where the framework makes URLs and has no option for them. */
export interface Patch {
  /** Matches the module's id. */
  module: RegExp
  /** Returns the code as it is if it lacks the place. */
  edit: (code: string) => string
  /** The requests that go to the page's origin without the patch. */
  requests: string
}

/** Patches a framework's code while Vite reads it, and knows the patches that found no place. */
export class Patches {
  readonly #framework: string
  readonly #patches: readonly Patch[]
  readonly #applied = new Set<Patch>()

  constructor(framework: string, patches: readonly Patch[]) {
    this.#framework = framework
    this.#patches = patches
  }

  addTo(config: ResolvedConfig): void {
    const plugin: Plugin = { name: 'static-s3:patches', transform: (code, id) => this.#transform(code, id) }
    // First, because other plugins replace constants in the code, such as `import.meta.env.BASE_URL`.
    const plugins = config.plugins as Plugin[]
    plugins.unshift(plugin)
  }

  /** One warning for each patch that found no place. */
  get warnings(): string[] {
    return this.#patches
      .filter((patch) => !this.#applied.has(patch))
      .map(
        ({ requests }) =>
          `this version of ${this.#framework} makes its URLs in another place: ${requests} come from the page's origin, so serve these files there, too`,
      )
  }

  #transform(code: string, id: string): { code: string; map: null } | undefined {
    let result = code
    for (const patch of this.#patches) {
      const after = patch.module.test(id) ? patch.edit(result) : result
      if (after === result) continue
      this.#applied.add(patch)
      result = after
    }
    return result === code ? undefined : { code: result, map: null }
  }
}

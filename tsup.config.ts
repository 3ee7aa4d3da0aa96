import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type Options } from 'tsup'

// A file right in src/ is a public entry: this list, those files and package.json's `exports` and `bin` are one list (a test holds them together).
const entry = ['src/vite.ts', 'src/webpack.ts', 'src/rspack.ts', 'src/client.ts', 'src/cli.ts']

/** What comes inside the package's own files (see src/s3/sdk-parts.ts); all other packages stay dependencies. */
export const bundled = {
  noExternal: [/^@smithy\//],
  esbuildOptions(options) {
    // Their ES modules: of CommonJS nothing can be left out.
    options.mainFields = ['module', 'main']
    options.conditions = ['module']
    // What only a part that is left out would load.
    options.external = [...(options.external ?? []), '@smithy/core/event-streams']
  },
} satisfies Options

/** Puts the licenses of what is bundled beside it. */
const licenses: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'licenses',
  setup({ initialOptions, onEnd }) {
    initialOptions.metafile = true
    onEnd(({ metafile }) => {
      const inputs = Object.values(metafile?.outputs ?? {}).flatMap((output) => Object.keys(output.inputs))
      const folders = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []))
      const packages = groupBy([...folders].sort(), (folder) => readFileSync(`${folder}/LICENSE`, 'utf8'))
      const texts = [...packages].map(([license, of]) => `${of.map(nameOf).join(', ')}\n\n${license}`)
      const { outdir = 'dist' } = initialOptions
      mkdirSync(outdir, { recursive: true })
      const heading = 'Parts of these packages are in the files beside this one:'
      writeFileSync(join(outdir, 'LICENSES-OF-OTHERS.txt'), [heading, ...texts].join('\n\n'))
    })
  },
}

/** `Map.groupBy`, which Node 20 doesn't have. */
function groupBy(folders: readonly string[], keyOf: (folder: string) => string): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const folder of folders) groups.set(keyOf(folder), [...(groups.get(keyOf(folder)) ?? []), folder])
  return groups
}

function nameOf(folder: string): string {
  const { name, version, homepage } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))
  return `${name} ${version} (${homepage})`
}

const common: Options = {
  ...bundled,
  target: 'node20.19',
  dts: true,
}

export default defineConfig([
  // Split, what is imported dynamically is loaded when it is needed: a build that stays on disk needs next to nothing.
  { ...common, entry, format: 'esm', splitting: true, esbuildPlugins: [licenses] },
  // With splitting, tsup's CommonJS goes through a second compiler; so each entry has all of it, without indentation. Nobody requires a command.
  {
    ...common,
    entry: entry.filter((file) => file !== 'src/cli.ts'),
    format: 'cjs',
    splitting: false,
    shims: true,
    minifyWhitespace: true,
    esbuildOptions(options) {
      bundled.esbuildOptions(options)
      options.lineLimit = 160
      // Where CommonJS is run in a `vm`, as by Jest, there is none.
      options.supported = { 'dynamic-import': false }
    },
  },
])

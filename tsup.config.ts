import { defineConfig, type Options } from 'tsup'

// A file right in src/ is a public entry: this list, those files and package.json's `exports` and `bin` are one list (a test holds them together).
const frameworks = [
  'src/astro.ts',
  'src/docusaurus.ts',
  'src/next.ts',
  'src/nuxt.ts',
  'src/rsbuild.ts',
  'src/sveltekit.ts',
]
const entry = ['src/vite.ts', 'src/webpack.ts', 'src/rspack.ts', ...frameworks, 'src/client.ts', 'src/cli.ts']

const common: Options = {
  target: 'node20.19',
  dts: true,
}

export default defineConfig([
  // Split, what is imported dynamically is loaded when it is needed: a build that stays on disk needs next to nothing.
  { ...common, entry, format: 'esm', splitting: true },
  // With splitting, tsup's CommonJS goes through a second compiler; so each entry has all of it, without indentation. Nobody requires a command.
  {
    ...common,
    entry: entry.filter((file) => file !== 'src/cli.ts' && file !== 'src/rspack.ts'),
    format: 'cjs',
    splitting: false,
    shims: true,
    minifyWhitespace: true,
    esbuildOptions(options) {
      options.lineLimit = 160
      // Where CommonJS is run in a `vm`, as by Jest, there is none.
      options.supported = { 'dynamic-import': false }
    },
  },
  // The same class as webpack's.
  {
    ...common,
    entry: ['src/rspack.ts'],
    format: 'cjs',
    esbuildPlugins: [
      {
        name: 'webpack.cjs',
        setup(build) {
          build.onResolve({ filter: /^\.\/webpack\.js$/ }, () => ({ path: './webpack.cjs', external: true }))
        },
      },
    ],
  },
])

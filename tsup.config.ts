import { writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
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
  // Names stay, so that a stack can be read. Lines stay short for the same reason.
  minifyWhitespace: true,
  esbuildOptions(options) {
    options.lineLimit = 160
  },
}

export default defineConfig([
  // Split, what is imported dynamically is loaded when it is needed: a build that stays on disk needs next to nothing.
  {
    ...common,
    entry,
    format: 'esm',
    splitting: true,
    onSuccess: async () => {
      for (const file of frameworks) await requireModule(basename(file, '.ts'))
    },
  },
  // With splitting, tsup's CommonJS goes through a second compiler; so each entry has all of it. Nobody requires a command.
  {
    ...common,
    entry: entry.filter((file) => !['src/cli.ts', 'src/rspack.ts', ...frameworks].includes(file)),
    format: 'cjs',
    splitting: false,
    shims: true,
    esbuildOptions(options, context) {
      common.esbuildOptions?.(options, context)
      // Where CommonJS is run in a `vm`, as by Jest, there is none.
      options.supported = { 'dynamic-import': false }
      // `static-s3/client` expects it.
      options.logOverride = { 'empty-import-meta': 'silent' }
    },
  },
  // `requireModule` writes the code.
  { entry: frameworks, format: 'cjs', dts: { only: true } },
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

/**
 * Writes a framework's entry in CommonJS: it requires the ES module, as every supported version of Node can. A copy of all the code for each
 * framework would make the package twice as large.
 */
async function requireModule(name: string): Promise<void> {
  const names = Object.keys(await import(pathToFileURL(resolve(`dist/${name}.js`)).href))
  const lines = [
    '"use strict"',
    'Object.defineProperty(exports, "__esModule", { value: true })',
    `const entry = require("./${name}.js")`,
    ...names.map((each) => `exports.${each} = entry.${each}`),
  ]
  await writeFile(`dist/${name}.cjs`, `${lines.join('\n')}\n`)
}

import { defineConfig } from 'tsup'

// A file right in src/ is a public entry: this list, those files and package.json's `exports` are one list (a test holds them together).
export default defineConfig({
  entry: ['src/vite.ts', 'src/webpack.ts', 'src/rspack.ts', 'src/client.ts'],
  format: ['esm', 'cjs'],
  target: 'node20.19',
  dts: true,
  clean: true,
  // With splitting, tsup's CommonJS goes through a second compiler.
  splitting: false,
})

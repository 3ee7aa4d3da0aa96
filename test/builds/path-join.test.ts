import { expect, test } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type App, buildApp } from '../../fixtures/build/index.js'
import { siteObjects } from '../../fixtures/build/site.js'
import type { EmbeddedS3 } from '../../fixtures/s3/index.js'
import { withBucket } from '../../fixtures/s3/with-bucket.js'

let s3: EmbeddedS3
let bucket: string
withBucket((target) => {
  ;({ s3, bucket } = target)
})

const vite = `
import { join } from 'node:path'
import { staticS3 } from 'static-s3/vite'

const output = {
  entryFileNames: join('static', 'js', '[name]-[hash].js'),
  chunkFileNames: join('static', 'js', '[name]-[hash].js'),
  assetFileNames: join('static', 'media', '[name]-[hash][extname]'),
}
export default {
  plugins: [
    staticS3(),
    { name: 'data', generateBundle() { this.emitFile({ type: 'asset', fileName: join('static', 'data.json'), source: '{}' }) } },
  ],
  build: { rollupOptions: { output } },
  worker: { rollupOptions: { output } },
}`

const webpack = `
const { join } = require('node:path')
const CopyPlugin = require('copy-webpack-plugin')
const HtmlWebpackPlugin = require('html-webpack-plugin')
const { StaticS3Plugin } = require('static-s3/webpack')

module.exports = {
  mode: 'production',
  entry: './src/index.js',
  output: {
    path: join(__dirname, 'dist'),
    // HtmlWebpackPlugin would write a backslash as %5C.
    filename: 'static/js/[name].[contenthash].js',
    chunkFilename: join('static', 'js', '[name].[contenthash].js'),
    assetModuleFilename: join('static', 'media', '[name].[contenthash][ext]'),
  },
  module: {
    rules: [
      { test: /\\.css$/, use: ['css-loader'] },
      { test: /\\.(png|woff2)$/, type: 'asset/resource' },
    ],
  },
  plugins: [
    new HtmlWebpackPlugin({ filename: join(__dirname, 'dist', 'index.html') }),
    new CopyPlugin({ patterns: [{ from: 'public/badge.svg', to: join('static', 'data.json') }] }),
    new StaticS3Plugin(),
  ],
}`

test.each<[name: string, app: App, config: string, text: string]>([
  ['Vite', 'vanilla', 'vite.config.ts', vite],
  ['webpack', 'webpack', 'webpack.config.cjs', webpack],
])(
  '%s: names by path.join, with backslashes on Windows, lead to files, and fingerprinted ones are kept for a year',
  async (_name, app, config, text) => {
    const { code, output } = await buildApp(app, { files: { [config]: text }, env: deployEnv(s3, bucket) })
    expect(code, output).toBe(0)
    const objects = siteObjects(s3, bucket)
    const named = [...objects].filter(([key]) => /^static\/static\/(js|media)\//.test(key))
    expect(named.length).toBeGreaterThan(4)
    for (const [key, { headers }] of named) expect(headers['cache-control'], key).toContain('immutable')
    expect(objects.get('static/static/data.json')?.headers['cache-control']).toBe('no-cache')

    const url = new RegExp(`${s3.endpoint}/${bucket}/(static/static[^"'\`\\s)>?#]*)`, 'g')
    const texts = [...objects].filter(([key]) => /\.(html|js|css)$/.test(key))
    const keys = texts.flatMap(([, { body }]) => [...`${body}`.matchAll(url)].map(([, key = '']) => decodeURI(key)))
    expect(keys).not.toEqual([])
    expect(keys.filter((key) => !objects.has(key))).toEqual([])
  },
)

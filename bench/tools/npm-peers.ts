import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchFolder } from '../paths.js'
import type { Tool } from './tool.js'

/*
 * Peers from npm. A script calls each as its documentation says. It calls a plugin's hooks without a bundler, so that no build is measured.
 */

function npmPeer(name: string, script: string, setting: string): Tool {
  return {
    name,
    setting,
    install: 'npm ci --prefix bench',

    async find() {
      try {
        const file = join(benchFolder, 'node_modules', name, 'package.json')
        return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
      } catch {
        return undefined
      }
    },

    command: ({ folder, endpoint, bucket, location }) => [
      ...[process.execPath, join(benchFolder, 'tools/peers', script)],
      ...[folder.dir, endpoint, bucket, location],
    ],
    // Silences a notice about future versions of Node.
    env: () => ({
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE: '1',
    }),
  }
}

export const s3SyncClient = npmPeer(
  's3-sync-client',
  's3-sync-client.mjs',
  '50 transfers at a time, types by mime-types',
)
export const viteS3 = npmPeer('@froxz/vite-plugin-s3', 'vite-plugin-s3.mjs', 'defaults: all at once, on 50 sockets')
export const webpackS3 = npmPeer('webpack-s3-plugin', 'webpack-s3-plugin.mjs', 'defaults: all at once, on 50 sockets')

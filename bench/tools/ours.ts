import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { figuresIn } from '../measure.js'
import { packageFolder, projectFolder } from '../paths.js'
import type { Deploy, Tool } from './tool.js'

export const ours: Tool = {
  name: 'static-s3',
  setting: 'the built package’s webpack plugin, called without webpack; defaults',
  install: 'npm run build',

  async find() {
    if (!existsSync(packageFolder)) return undefined
    return (JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8')) as { version: string }).version
  },

  command: ({ folder }) => [
    ...[process.execPath, join(projectFolder, 'fixtures/build/publish-folder.mjs')],
    ...[folder.dir, folder.fingerprintedFile],
  ],

  env: ourSettings,

  ownFigures: (output) => {
    const { before, peak } = figuresIn<{ before: number; peak: number }>(output)
    return { memoryBeyondBytes: peak - before }
  },
}

export function ourSettings({ endpoint, bucket, location }: Pick<Deploy, 'endpoint' | 'bucket' | 'location'>) {
  return {
    USE_S3: '1',
    AWS_STORAGE_BUCKET_NAME: bucket,
    AWS_LOCATION: location,
    AWS_S3_ENDPOINT_URL: endpoint,
  }
}

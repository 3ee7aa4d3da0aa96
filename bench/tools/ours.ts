import packageJson from '../../package.json' with { type: 'json' }
import { bundle } from '../bundle.js'
import type { Deploy, Tool } from './tool.js'

let script = ''

export const ours: Tool = {
  name: 'static-s3',
  setting: 'the function that the adapters call, in a process of its own; defaults',

  async find() {
    script = await bundle('bench/tools/ours/publish-folder.ts', 'ours')
    return packageJson.version
  },

  command: ({ folder }) => [process.execPath, script, folder.dir, folder.fingerprintedFile],

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

/** What a script of the bench says it has measured. */
export function figuresIn<T>(output: string): T {
  const [, figures] = /^FIGURES (.*)$/m.exec(output) ?? []
  if (!figures) throw new Error(`no figures in: ${output}`)
  return JSON.parse(figures) as T
}

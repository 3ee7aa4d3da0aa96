import { bundle } from '../bundle.js'
import type { Measured } from '../measure.js'
import { figuresIn } from './ours.js'
import type { Tool } from './tool.js'

/** The same PUTs by bare `node:http`. */
export function limit(sockets: number): Tool {
  let script = ''
  return {
    name: 'limit',
    setting: `bare \`node:http\`, ${sockets} sockets, signed beforehand; from the first request to the last answer`,
    firstOnly: true,

    async find() {
      script = await bundle('bench/tools/limit/send-folder.ts', 'limit')
      return `Node ${process.versions.node}`
    },

    command: ({ folder, endpoint, bucket, location }) => [
      ...[process.execPath, script, folder.dir],
      ...[`${endpoint}/${bucket}/${location}/`, String(sockets)],
    ],

    ownFigures: (output) => figuresIn<Pick<Measured, 'milliseconds' | 'cpuSeconds'>>(output),
  }
}

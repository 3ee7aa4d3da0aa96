import { join } from 'node:path'
import { figuresIn, type Measured } from '../measure.js'
import { benchFolder } from '../paths.js'
import type { Tool } from './tool.js'

/** The same PUTs by Node's own HTTP client and nothing else. */
export function limit(sockets: number): Tool {
  return {
    name: 'limit',
    setting: `\`node:http\` or \`node:https\`, ${sockets} sockets, signed beforehand; from the first request to the last answer`,
    firstOnly: true,

    find: async () => `Node ${process.versions.node}`,

    command: ({ folder, endpoint, bucket, location }) => [
      ...[process.execPath, join(benchFolder, 'tools/limit/send-folder.mjs'), folder.dir],
      ...[`${endpoint}/${bucket}/${location}/`, String(sockets)],
    ],

    ownFigures: (output) => figuresIn<Pick<Measured, 'milliseconds' | 'cpuSeconds'>>(output),
  }
}

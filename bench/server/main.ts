import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { control } from './control.js'
import { serve } from './http.js'
import { S3 } from './s3.js'

/*
 * The server, a process of its own: `npx tsx bench/server/main.ts [--port 9000] [--latency 20] [--answer-only]`. Prints its port. Ends when its
 * standard input does, and so with whoever started it.
 */

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    latency: { type: 'string', default: '0' },
    'answer-only': { type: 'boolean', default: false },
  },
})

const s3 = new S3()
s3.latency = Number(values.latency)
const controlled = control(s3)
/** What no server could do with less, to hold this one against. */
const justAnswer = () => ({ take() {}, end: () => answered, delay: s3.latency })
const answered = { status: 200, headers: { ETag: '"00000000000000000000000000000000"' } }

const server = serve((head) => controlled(head) ?? (values['answer-only'] ? justAnswer() : s3.begin(head)))
server.listen(Number(values.port), '127.0.0.1', 4096, () => console.log((server.address() as AddressInfo).port))
process.stdin.on('end', () => process.exit()).resume()

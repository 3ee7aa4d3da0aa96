import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { selfSigned } from '../../fixtures/s3/self-signed.js'
import { control } from './control.js'
import type { Exchange, Head } from './http.js'
import { listenHttp, listenHttps, noTraffic } from './listen.js'
import { S3 } from './s3.js'

/*
 * The server's process: `main.ts --certificate FILE [--answer-only]`. It writes its certificate to the file, prints its ports as JSON, and ends when
 * its standard input ends.
 */

const { values } = parseArgs({
  options: { certificate: { type: 'string' }, 'answer-only': { type: 'boolean', default: false } },
})

const s3 = new S3()
/** The least that any server can do. */
const answerOnly = (): Exchange => ({ take() {}, end: () => answered, delay: s3.latency })
const answered = { status: 200, headers: { ETag: '"00000000000000000000000000000000"' } }
const begin = values['answer-only'] ? answerOnly : (head: Head) => s3.begin(head)

const week = 7 * 86_400_000
const credentials = selfSigned({ until: Date.now() + week })
writeFileSync(values.certificate as string, credentials.cert)

const traffic = { ...noTraffic }
const ports = {
  http: await listenHttp(begin, traffic),
  https: await listenHttps(begin, traffic, credentials),
  // A port of its own, so that the bench's own connections are not counted.
  control: await listenHttp(control(s3, traffic), { ...noTraffic }),
}
console.log(JSON.stringify(ports))
process.stdin.on('end', () => process.exit()).resume()

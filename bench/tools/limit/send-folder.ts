import { hash } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join, relative } from 'node:path'
import { lookup } from 'mime-types'
import { sign } from '../../../src/s3/http/sign.js'

/*
 * Sends a folder's files as plain PUTs: `send-folder.js FOLDER URL SOCKETS`. Names, sizes, hashes and signatures are made before the time begins;
 * in it are connecting, reading the files, sending them and waiting for the answers.
 */

const [dir = '', url = '', sockets = ''] = process.argv.slice(2)
/** Up to this size a file is read at once, above it while it is sent. */
const wholeBytes = 1024 ** 2

interface Put {
  file: string
  size: number
  path: string
  headers: Record<string, string>
}

const { hostname, port, pathname } = new URL(url)
const credentials = {
  accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? '',
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? '',
}

function signed(file: string): Put {
  const bytes = readFileSync(file)
  const name = relative(dir, file)
  const path = pathname + name.split('/').map(encodeURIComponent).join('/')
  const headers = {
    host: `${hostname}:${port}`,
    'content-type': lookup(file) || 'application/octet-stream',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-length': String(bytes.length),
    'content-md5': hash('md5', bytes, 'base64'),
  }
  const request = { method: 'PUT', path, query: {}, headers, payloadHash: hash('sha256', bytes) }
  const signature = sign(request, { date: new Date(), region: 'us-east-1', credentials })
  return { file, size: statSync(file).size, path, headers: { ...headers, ...signature } }
}

const names = readdirSync(dir, { recursive: true, withFileTypes: true })
const files = names.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name))
const puts = files.map(signed)

const agent = new Agent({ keepAlive: true, maxSockets: Number(sockets) })

function send({ file, size, path, headers }: Put): Promise<void> {
  return new Promise((resolve, reject) => {
    const sending = request({ hostname, port, path, method: 'PUT', headers, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode}`))
      response.on('end', resolve).resume()
    })
    sending.on('error', reject)
    if (size <= wholeBytes) sending.end(readFileSync(file))
    else createReadStream(file, { highWaterMark: wholeBytes }).pipe(sending)
  })
}

const cpuBefore = process.cpuUsage()
const begun = performance.now()
const rest = puts.values()
await Promise.all(
  Array.from({ length: Number(sockets) }, async () => {
    for (const put of rest) await send(put)
  }),
)
const milliseconds = performance.now() - begun
const { user, system } = process.cpuUsage(cpuBefore)
agent.destroy()
console.log(`FIGURES ${JSON.stringify({ milliseconds, cpuSeconds: (user + system) / 1e6 })}`)

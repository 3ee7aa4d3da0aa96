import { createHmac, hash } from 'node:crypto'
import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { join, relative } from 'node:path'
import mime from 'mime-types'

/*
 * Sends a folder's files as plain PUTs: `send-folder.mjs FOLDER URL SOCKETS`. It makes names, hashes and signatures before it starts the clock. The
 * measured time covers connecting, reading the files, sending them, and waiting for the answers.
 */

const [dir, url, sockets] = process.argv.slice(2)
/** Up to this size a file is read at once; a larger one is streamed. */
const wholeBytes = 1024 ** 2

const { protocol, host, hostname, port, pathname } = new URL(url)
const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secret } = process.env
const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
const scope = [timestamp.slice(0, 8), 'us-east-1', 's3', 'aws4_request']
const signingKey = scope.reduce((key, part) => createHmac('sha256', key).update(part).digest(), `AWS4${secret}`)

/** AWS Signature Version 4. */
function signed(method, path, headers) {
  const all = { ...headers, host, 'x-amz-date': timestamp }
  const names = Object.keys(all).sort()
  const lines = names.map((name) => `${name}:${all[name]}\n`).join('')
  const canonical = [method, path, '', lines, names.join(';'), all['x-amz-content-sha256']].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', timestamp, scope.join('/'), hash('sha256', canonical)].join('\n')
  const signature = createHmac('sha256', signingKey).update(toSign).digest('hex')
  const credential = `Credential=${accessKey}/${scope.join('/')}`
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...all, authorization }
}

function putOf(file) {
  const bytes = readFileSync(file)
  const path = pathname + relative(dir, file).split('/').map(encodeURIComponent).join('/')
  const headers = signed('PUT', path, {
    'content-type': mime.lookup(file) || 'application/octet-stream',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-length': String(bytes.length),
    'content-md5': hash('md5', bytes, 'base64'),
    'x-amz-content-sha256': hash('sha256', bytes),
  })
  return { file, size: bytes.length, path, headers }
}

const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
const puts = entries.map((entry) => putOf(join(entry.parentPath, entry.name)))

const { Agent, request } = protocol === 'https:' ? https : http
const agent = new Agent({ keepAlive: true, maxSockets: Number(sockets) })

function send({ file, size, path, headers }) {
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

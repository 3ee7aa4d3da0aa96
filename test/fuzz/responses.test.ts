import { once } from 'node:events'
import { request } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cases, inTime, patience } from '../../fixtures/fuzz/chance.js'
import { type Connections, openConnections } from '../../src/s3/http/connections.js'
import { type HttpResponse, ResponseReader } from '../../src/s3/http/response.js'

const codes = ['MalformedResponse', 'ResponseTooLarge']
const most = 100_000

const content = fc.string({
  unit: fc.constantFrom('a', '\r', '\n', '0', ';', 'HTTP/1.1 200 OK\r\n\r\n'),
  maxLength: 20,
})
const statusLine = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...[200, 204, 304, 301, 403, 404, 412, 500, 503].map((code) => `HTTP/1.1 ${code} Reason`),
    ),
  },
  fc.constantFrom(
    'HTTP/1.0 200 OK',
    'HTTP/1.1 200',
    'HTTP/1.1 200 ',
    'HTTP/1.1 101 Switching',
    'HTTP/2 200',
    'HTTP/1.1 20',
    'ICY 200 OK',
    '',
  ),
)
const header = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      'ETag: "a"',
      'Date: Sat, 28 Nov 2026 15:00:00 GMT',
      'x-amz-request-id:1',
      'A:  b ',
      'a:',
      'Server: S3',
    ),
  },
  fc.constantFrom(
    'Connection: close',
    'Connection: keep-alive',
    'Keep-Alive: timeout=5',
    'a : b',
    ' folded',
    ': b',
    'a',
    'a: \u0000',
    `a: ${'b'.repeat(20_000)}`,
  ),
)
const chunked = fc
  .array(
    content.filter((text) => text !== ''),
    { maxLength: 4 },
  )
  .chain((chunks) =>
    fc
      .record({
        extension: fc.constantFrom('', '', ';a=b', ' ', 'x', ';"\n"'),
        end: fc.constantFrom('\r\n', '\r\n', '\n', 'x\r\n'),
        last: fc.constantFrom(
          '0\r\n\r\n',
          '0\r\n\r\n',
          '0\r\na: b\r\n\r\n',
          '00\r\n\r\n',
          '',
          '-1\r\n',
          'fffffffff\r\n',
        ),
      })
      .map(({ extension, end, last }) => {
        const parts = chunks.map(
          (text) => `${Buffer.byteLength(text, 'latin1').toString(16)}${extension}\r\n${text}${end}`,
        )
        return { framing: ['Transfer-Encoding: chunked'], body: parts.join('') + last }
      }),
  )
const sized = fc.record({ text: content, wrong: fc.constantFrom(0, 0, 0, 1, -1, 50) }).map(({ text, wrong }) => ({
  framing: [`Content-Length: ${text.length + wrong}`],
  body: text,
}))
const framed = fc.oneof(
  { weight: 4, arbitrary: sized },
  { weight: 4, arbitrary: chunked },
  content.map((body) => ({ framing: [] as string[], body })),
  fc.record({
    framing: fc.subarray([
      'Content-Length: 3',
      'Content-Length: 4',
      'Transfer-Encoding: gzip, chunked',
      'Content-Length: 3, 3',
      'Content-Length: 0x3',
      'Content-Length: +3',
      `Content-Length: ${most + 1}`,
      'Transfer-Encoding: chunked',
    ]),
    body: content,
  }),
)
const interim = fc.constantFrom(
  '',
  '',
  '',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n',
)
const junk = fc.constantFrom('', '', '', 'x', '\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb')
const damage = fc.option(
  fc.record({
    at: fc.nat(400),
    remove: fc.nat(3),
    insert: fc.constantFrom('', '\r', '\n', '\u0000', ' ', ':', '\r\n'),
  }),
  { freq: 4 },
)

const response = fc
  .record({ interim, statusLine, headers: fc.array(header, { maxLength: 4 }), framed, junk, damage })
  .map(({ interim, statusLine, headers, framed: { framing, body }, junk, damage }) => {
    const whole = `${interim}${[statusLine, ...headers, ...framing].join('\r\n')}\r\n\r\n${body}${junk}`
    const bytes = damage ? whole.slice(0, damage.at) + damage.insert + whole.slice(damage.at + damage.remove) : whole
    return Buffer.from(bytes, 'latin1')
  })
const method = fc.constantFrom('GET', 'GET', 'PUT', 'HEAD')

type Outcome = Pick<HttpResponse, 'status' | 'headers'> & { body: string; keepsAlive: boolean }

/** What comes of bytes after which the connection ends: a response, a code, or nothing whole. */
function readAll(method: string, pieces: readonly Buffer[]): Outcome | string {
  const reader = new ResponseReader(method, most)
  const read = () => {
    // As a socket's, whose memory may not be changed.
    for (const piece of pieces) {
      const response = reader.push(Buffer.from(piece))
      if (response) return response
    }
    return reader.end()
  }
  try {
    const response = read()
    if (!response) return 'cut'
    const { status, headers, body } = response
    return { status, headers: { ...headers }, body: body.toString('latin1'), keepsAlive: reader.keepsAlive }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    expect(codes, String(error)).toContain(code)
    return code
  }
}

function split(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((one, other) => one - other)
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

/** Node's own reading of the same bytes, or why it reads none. */
function asNodeReads(method: string, bytes: Buffer): Promise<Outcome | string> {
  return new Promise((resolve) => {
    const socket = new Duplex({ read() {}, write: (_piece, _encoding, done) => done() })
    const sending = request({ method, createConnection: () => socket as Socket, headers: { 'content-length': 0 } })
    sending.on('error', ({ message }) => resolve(message))
    sending.on('upgrade', () => resolve('upgrade'))
    sending.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('error', ({ message }) => resolve(message))
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('close', () => {
        const { statusCode: status = 0, headers, complete } = response
        const body = Buffer.concat(chunks).toString('latin1')
        resolve(complete ? { status, headers: headers as Record<string, string>, body, keepsAlive: false } : 'cut')
      })
    })
    sending.end(() => {
      socket.push(bytes)
      socket.push(null)
    })
  })
}

describe('a response of any bytes', () => {
  it(
    'is read in the same way wherever it is split',
    () => {
      fc.assert(
        fc.property(method, response, fc.array(fc.nat(2000), { maxLength: 20 }), (method, bytes, places) => {
          const whole = inTime(() => readAll(method, [bytes]))
          const others = [split(bytes, places), split(bytes, [...bytes.keys()].slice(0, 2000))].map((pieces) =>
            inTime(() => readAll(method, pieces)),
          )
          // What follows a response is seen only where it comes along with its end.
          const plain = (outcome: Outcome | string) =>
            typeof outcome === 'string' ? outcome : { ...outcome, keepsAlive: false }
          for (const other of others) expect(plain(other)).toEqual(plain(whole))
        }),
        cases(1500),
      )
    },
    patience,
  )

  it(
    'is read as Node reads it, where both read it',
    async () => {
      let both = 0
      await fc.assert(
        fc.asyncProperty(method, response, async (method, bytes) => {
          const [ours, nodes] = [readAll(method, [bytes]), await asNodeReads(method, bytes)]
          if (typeof ours === 'string' || typeof nodes === 'string') return
          both++
          expect([ours.status, ours.body]).toEqual([nodes.status, nodes.body])
          // Of some headers Node takes the first only; of others it makes lists, as we do of all.
          for (const [name, value] of Object.entries(ours.headers)) {
            expect(value === nodes.headers[name] || value.split(', ')[0] === nodes.headers[name], name).toBe(true)
          }
        }),
        cases(1500),
      )
      expect(both).toBeGreaterThan(cases(1500).numRuns / 10)
    },
    patience,
  )

  it(
    'that Node reads and we do not is one that no store sends',
    async () => {
      const refused = new Set<string>()
      await fc.assert(
        fc.asyncProperty(
          statusLine,
          fc.array(header, { maxLength: 3 }),
          fc.oneof(sized, chunked),
          async (line, headers, { framing, body }) => {
            const bytes = Buffer.from(`${[line, ...headers, ...framing].join('\r\n')}\r\n\r\n${body}`, 'latin1')
            const [ours, nodes] = [readAll('GET', [bytes]), await asNodeReads('GET', bytes)]
            if (typeof ours !== 'string' || typeof nodes === 'string') return
            const odd = line.includes(' 101 ') || headers.some((each) => /^(a : b| folded)$/.test(each))
            if (!odd) refused.add(bytes.toString('latin1', 0, 200))
          },
        ),
        cases(1500),
      )
      // A change of the protocol that nobody asked for, and headers that RFC 9112 forbids.
      expect([...refused]).toEqual([])
    },
    patience,
  )

  it('takes time and memory by its length alone', () => {
    const chunks = Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(50_000)}`)
    expect(
      inTime(() =>
        readAll(
          'GET',
          split(
            chunks,
            [...Array(chunks.length).keys()].filter((n) => n % 5 === 0),
          ),
        ),
      ),
    ).toBe('cut')
    const blanks = Buffer.from(`HTTP/1.1 200 OK\r\na: b${' '.repeat(60_000)}c\r\n`.padEnd(64_000, 'x'))
    expect(inTime(() => readAll('GET', [blanks]))).toBe('cut')
    const long = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${most}\r\n\r\n${'a'.repeat(most)}`)
    expect(inTime(() => readAll('GET', split(long, [...long.keys()])))).toMatchObject({ status: 200 })
  })
})

describe('a connection whose server sends any bytes', () => {
  let server: Server
  let connections: Connections
  let port: number
  /** What the server does, by the path of the request. */
  const plays: { pieces: Buffer[]; end: 'end' | 'reset' | 'silence' }[] = []

  beforeAll(async () => {
    server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (head) => {
        const [, place] = /^\w+ \/(\d+) /.exec(head.toString('latin1')) ?? []
        const play = plays[Number(place)]
        if (!play) return
        for (const piece of play.pieces) socket.write(piece)
        if (play.end === 'end') socket.end()
        if (play.end === 'reset') socket.resetAndDestroy()
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    port = (server.address() as AddressInfo).port
    connections = openConnections(8, { env: {}, idleTimeout: 100 })
  })
  afterAll(() => {
    connections.close()
    server.close()
  })

  it(
    'answers or fails, and never hangs',
    async () => {
      const origin = { isSecure: false, host: '127.0.0.1', port }
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              bytes: response,
              places: fc.array(fc.nat(500), { maxLength: 3 }),
              end: fc.constantFrom('end' as const, 'end' as const, 'reset' as const, 'silence' as const),
              size: fc.constantFrom(0, 10, 200_000, 3_000_000),
            }),
            { minLength: 1, maxLength: 8 },
          ),
          async (requests) => {
            const sent = requests.map(({ bytes, places, end, size }) => {
              plays.push({ pieces: split(bytes, places), end })
              const body = Buffer.alloc(size)
              return connections.send({
                origin,
                method: 'PUT',
                path: `/${plays.length - 1}`,
                headers: {},
                body,
                mostBytes: most,
              })
            })
            for (const result of await Promise.allSettled(sent)) {
              if (result.status === 'fulfilled') expect(result.value.status).toBeGreaterThanOrEqual(200)
              else
                expect([...codes, 'ECONNRESET', 'EPIPE', 'TimeoutError']).toContain(
                  result.reason.code ?? result.reason.name,
                )
            }
          },
        ),
        cases(60),
      )
      const fine = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine')
      plays.push({ pieces: [fine], end: 'end' })
      const ask = () => connections.send({ origin, method: 'GET', path: `/${plays.length - 1}`, headers: {} })
      // A busy machine is silent for 100 ms as well. Any other failure counts.
      const answer = async (): Promise<HttpResponse> =>
        ask().catch((error) => (error.name === 'TimeoutError' ? answer() : Promise.reject(error)))
      expect((await answer()).body.toString()).toBe('fine')
    },
    patience,
  )
})

import type { Socket } from 'node:net'

/*
 * The part of HTTP/1.1 that S3 clients use, directly on the socket: node:http needs three times the CPU, and on two cores the measured tool would
 * lose that time. A connection carries one request at a time, because no S3 client pipelines.
 */

export interface Head {
  method: string
  /** Percent-encoded, without the query. */
  path: string
  query: string
  /** By lower-case name. */
  headers: Record<string, string>
}

export interface Answer {
  status: number
  headers?: Record<string, string | number>
  body?: string | Buffer
}

/** Takes the pieces of a request's body, then gives the answer. */
export interface Exchange {
  take(piece: Buffer): void
  end(): Answer
  /** Milliseconds from the request's end to the answer. */
  delay: number
}

/** Answers every request on a connection. */
export function serveConnection(socket: Socket, begin: (head: Head) => Exchange): void {
  let early: Buffer | undefined
  let head: Head | undefined
  let exchange: Exchange | undefined
  let body: Framing | undefined

  socket.on('error', () => socket.destroy())
  socket.on('data', (data) => {
    let piece: Buffer | undefined = early ? Buffer.concat([early, data]) : data
    early = undefined
    while (piece) {
      if (!head) {
        const end: number = piece.indexOf('\r\n\r\n')
        if (end < 0) {
          if (piece.length > 0) early = piece
          return
        }
        head = readHead(piece.toString('latin1', 0, end))
        piece = piece.subarray(end + 4)
        exchange = begin(head)
        body = framing(head, exchange)
        if (head.headers.expect) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
      }
      piece = (body as Framing)(piece)
      if (!piece) return
      answer(socket, head, exchange as Exchange)
      head = undefined
    }
  })
}

function readHead(text: string): Head {
  const lines = text.split('\r\n')
  const [method = '', target = ''] = (lines[0] as string).split(' ')
  const headers: Record<string, string> = {}
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const mark = target.indexOf('?')
  return mark < 0
    ? { method, path: target, query: '', headers }
    : { method, path: target.slice(0, mark), query: target.slice(mark + 1), headers }
}

/** Takes the next piece. Returns the bytes after the body, or undefined if the body is incomplete. */
type Framing = (piece: Buffer) => Buffer | undefined

function framing({ headers }: Head, exchange: Exchange): Framing {
  return headers['transfer-encoding']
    ? inChunks(exchange)
    : withLength(Number(headers['content-length'] ?? 0), exchange)
}

function withLength(length: number, exchange: Exchange): Framing {
  let left = length
  return (piece) => {
    if (piece.length < left) {
      left -= piece.length
      if (piece.length > 0) exchange.take(piece)
      return undefined
    }
    if (left > 0) exchange.take(piece.subarray(0, left))
    return piece.subarray(left)
  }
}

/** `Transfer-Encoding: chunked`. */
function inChunks(exchange: Exchange): Framing {
  let text = ''
  /** Missing bytes of the chunk and its line end; undefined between chunks. */
  let left: number | undefined
  let last = false
  return (piece) => {
    let at = 0
    while (at < piece.length) {
      if (left !== undefined) {
        const taken = Math.min(left, piece.length - at)
        const content = Math.min(taken, Math.max(0, left - 2))
        if (content > 0) exchange.take(piece.subarray(at, at + content))
        at += taken
        left -= taken
        if (left === 0) left = undefined
        continue
      }
      const end = piece.indexOf(10, at)
      if (end < 0) {
        text += piece.toString('latin1', at)
        return undefined
      }
      const line = (text + piece.toString('latin1', at, end)).trim()
      text = ''
      at = end + 1
      if (!last) {
        const size = Number.parseInt(line, 16)
        if (size === 0) last = true
        else left = size + 2
      } else if (line === '') return piece.subarray(at)
    }
    return undefined
  }
}

const reasons: Record<number, string> = {
  200: 'OK',
  204: 'No Content',
  206: 'Partial Content',
  304: 'Not Modified',
  400: 'Bad Request',
  404: 'Not Found',
  412: 'Precondition Failed',
  501: 'Not Implemented',
}

function answer(socket: Socket, head: Head, exchange: Exchange): void {
  const { status, headers = {}, body = '' } = exchange.end()
  let text = `HTTP/1.1 ${status} ${reasons[status] ?? 'Answer'}\r\nDate: ${date()}\r\nServer: bench\r\nx-amz-request-id: 1\r\n`
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`
  if (headers['content-length'] === undefined && status !== 204 && status !== 304) {
    text += `content-length: ${Buffer.byteLength(body)}\r\n`
  }
  text += '\r\n'
  const send = () => {
    if (socket.destroyed) return
    if (head.method === 'HEAD' || body === '') socket.write(text, 'latin1')
    else if (typeof body === 'string') socket.write(text + body)
    else {
      socket.write(text, 'latin1')
      socket.write(body)
    }
    if (head.headers.connection?.toLowerCase() === 'close') socket.end()
  }
  if (exchange.delay > 0) setTimeout(send, exchange.delay)
  else send()
}

let dated = { second: 0, text: '' }

function date(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dated.second) dated = { second, text: new Date(second * 1000).toUTCString() }
  return dated.text
}

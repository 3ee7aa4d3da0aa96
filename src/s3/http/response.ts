export interface HttpResponse {
  status: number
  /** By lower-case names. */
  headers: Record<string, string>
  body: Buffer
}

/** Bytes of a head or another line. Node's limit is 16 kB. */
const MOST_IN_HEAD = 64 * 1024

const nothing = Buffer.alloc(0)
const start = 'HTTP/1.'

type Step = 'head' | 'data' | 'size of a chunk' | 'end of a chunk' | 'trailer' | 'over'

/**
 * Reads one response of HTTP/1.1 from pieces that may end at any byte.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
export class ResponseReader {
  readonly #method: string
  readonly #mostBytes: number
  #step: Step = 'head'
  /** The beginning of an incomplete line. */
  #rest: Buffer = nothing
  /** Missing bytes of the body or chunk; infinite if the end of the connection ends the body. */
  #left = 0
  #isChunked = false
  #response: HttpResponse = { status: 0, headers: {}, body: nothing }
  /** Doubles when it is full, so that few pieces cost a copy. */
  #body: Buffer = nothing
  #length = 0
  /** True if the connection can take another request after this response. */
  keepsAlive = false

  /** @param mostBytes limit for the body */
  constructor(method: string, mostBytes: number) {
    this.#method = method
    this.#mostBytes = mostBytes
  }

  /**
   * Takes the next piece, and returns the response when it is complete.
   *
   * @throws Error with the code `MalformedResponse` or `ResponseTooLarge`
   */
  push(piece: Buffer): HttpResponse | undefined {
    let input = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece])
    this.#rest = nothing
    while (this.#step !== 'over') {
      if (this.#step === 'data') {
        const data = input.subarray(0, this.#left)
        this.#append(data)
        this.#left -= data.length
        if (this.#left > 0) return undefined
        input = input.subarray(data.length)
        this.#step = this.#isChunked ? 'end of a chunk' : 'over'
        continue
      }
      const mark = this.#step === 'head' ? '\r\n\r\n' : '\r\n'
      const end = input.indexOf(mark, 0, 'latin1')
      if (Math.max(end, input.length * +(end < 0)) > MOST_IN_HEAD) throw tooLarge('a head', MOST_IN_HEAD)
      if (end < 0) {
        // Another protocol, such as SSH, may send only a greeting.
        const isHttp = this.#step !== 'head' || start.startsWith(input.toString('latin1', 0, start.length))
        if (!isHttp) throw malformed('it does not begin with a status line')
        this.#rest = input
        return undefined
      }
      this.#readLine(input.toString('latin1', 0, end))
      input = input.subarray(end + mark.length)
    }
    // Surplus bytes must not begin the next response.
    if (input.length > 0) this.keepsAlive = false
    return this.#whole()
  }

  /** The connection has ended. Returns the response if that completes it. */
  end(): HttpResponse | undefined {
    return this.#left === Number.POSITIVE_INFINITY ? this.#whole() : undefined
  }

  #whole(): HttpResponse {
    this.#response.body = this.#body.subarray(0, this.#length)
    return this.#response
  }

  #readLine(line: string): void {
    if (this.#step === 'head') {
      this.#readHead(line.split('\r\n'))
    } else if (this.#step === 'trailer') {
      if (line === '') this.#step = 'over'
    } else if (this.#step === 'end of a chunk') {
      if (line !== '') throw malformed('a chunk is longer than its size')
      this.#step = 'size of a chunk'
    } else {
      const size = /^([\da-f]{1,8})[ \t]*(?:;|$)/i.exec(line)?.[1]
      if (size === undefined) throw malformed('a chunk has no size')
      this.#left = Number.parseInt(size, 16)
      this.#step = this.#left === 0 ? 'trailer' : 'data'
    }
  }

  #readHead([statusLine = '', ...lines]: string[]): void {
    const [, minor, digits] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\r\n\0]*)?$/.exec(statusLine) ?? []
    if (digits === undefined) throw malformed('it does not begin with a status line')
    const status = Number(digits)
    // After 100 Continue, the response follows.
    if (status < 200 && status !== 101) return
    const headers = readHeaders(lines)
    this.#response = { status, headers, body: nothing }
    const connection = headers.connection?.toLowerCase() ?? ''
    this.keepsAlive = minor === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection)
    if (status === 101) throw malformed('it changes the protocol')
    const hasNoBody = ['HEAD', 'CONNECT'].includes(this.#method) || status === 204 || status === 304
    if (hasNoBody) this.#step = 'over'
    else this.#readLength(headers)
  }

  /** @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3 */
  #readLength({ 'transfer-encoding': encoding, 'content-length': length }: Record<string, string>): void {
    if (encoding !== undefined) {
      if (encoding.toLowerCase() !== 'chunked' || length !== undefined) throw malformed('its length is not clear')
      this.#isChunked = true
      this.#step = 'size of a chunk'
      return
    }
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw malformed('its length is not a number')
    this.#left = length === undefined ? Number.POSITIVE_INFINITY : Number(length)
    if (length === undefined) this.keepsAlive = false
    else if (this.#left > this.#mostBytes) throw tooLarge('a body', this.#mostBytes)
    this.#step = this.#left === 0 ? 'over' : 'data'
  }

  #append(data: Buffer): void {
    const length = this.#length + data.length
    if (length > this.#mostBytes) throw tooLarge('a body', this.#mostBytes)
    if (this.#length === 0) {
      this.#body = data
    } else {
      if (length > this.#body.length) {
        const longer = Buffer.allocUnsafe(Math.max(length, this.#body.length * 2))
        this.#body.copy(longer, 0, 0, this.#length)
        this.#body = longer
      }
      data.copy(this.#body, this.#length)
    }
    this.#length = length
  }
}

function readHeaders(lines: readonly string[]): Record<string, string> {
  // `__proto__` may be a header.
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) throw malformed('a header cannot be read')
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}

function malformed(reason: string): Error {
  return Object.assign(new Error(reason), { code: 'MalformedResponse' })
}

function tooLarge(what: string, most: number): Error {
  return Object.assign(new Error(`${what} of more than ${most} bytes`), { code: 'ResponseTooLarge' })
}

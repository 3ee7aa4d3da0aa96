export interface HttpResponse {
  status: number
  /** By lower-case names. */
  headers: Record<string, string>
  body: Buffer
}

/** Bytes of a head or another line. Node's limit is 16 kB. */
const MOST_IN_HEAD = 64 * 1024

/** Bytes of an error's body, which may be a web page. */
const MOST_IN_ERROR = 1024 ** 2

const nothing = Buffer.alloc(0)
const start = 'HTTP/1.'

/** Each `yield` waits for the next chunk. It returns true at the end of the connection. */
type Steps<T> = Generator<undefined, T, boolean>

/**
 * Reads one response of HTTP/1.1 from pieces that may end at any byte.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112
 */
export class ResponseReader {
  readonly #method: string
  #mostBytes: number
  readonly #steps = this.#read()
  /** Bytes not parsed yet. */
  #input: Buffer = nothing
  /** Doubles when it is full, so that few pieces cost a copy. */
  #body: Buffer = nothing
  #length = 0
  /** True once the head is read. */
  hasHead = false
  /** True if the connection can take another request after this response. */
  keepsAlive = false

  /** @param mostBytes limit for the body */
  constructor(method: string, mostBytes: number) {
    this.#method = method
    this.#mostBytes = mostBytes
  }

  /** Bytes of the body. */
  get received(): number {
    return this.#length
  }

  /**
   * Takes the next piece, and returns the response when it is complete.
   *
   * @throws Error with the code `MalformedResponse` or `ResponseTooLarge`
   */
  push(piece: Buffer): HttpResponse | undefined {
    this.#input = this.#input.length === 0 ? piece : Buffer.concat([this.#input, piece])
    const response = this.#steps.next(false).value
    // Surplus bytes must not begin the next response.
    if (response && this.#input.length > 0) this.keepsAlive = false
    return response
  }

  /** The connection has ended. Returns the response if that completes it. */
  end(): HttpResponse | undefined {
    return this.#steps.next(true).value
  }

  *#read(): Steps<HttpResponse> {
    let head = yield* this.#until('\r\n\r\n', start)
    // The response follows 100 Continue.
    while (/^HTTP\/1\.[01] 1(?!01)\d\d[ \r]/.test(head)) head = yield* this.#until('\r\n\r\n', start)
    const { status, headers, minor } = readHead(head)
    this.hasHead = true
    if (status >= 300) this.#mostBytes = Math.min(this.#mostBytes, MOST_IN_ERROR)
    const connection = headers.connection?.toLowerCase() ?? ''
    this.keepsAlive = minor === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection)
    const hasNoBody = this.#method === 'HEAD' || this.#method === 'CONNECT' || status === 204 || status === 304
    if (!hasNoBody) yield* this.#readBody(headers)
    return { status, headers, body: this.#body.subarray(0, this.#length) }
  }

  /** @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3 */
  *#readBody(headers: Record<string, string>): Steps<void> {
    const { 'transfer-encoding': encoding, 'content-length': length } = headers
    if (encoding !== undefined) {
      if (encoding.toLowerCase() !== 'chunked' || length !== undefined) throw malformed('its length is not clear')
      yield* this.#readChunks()
    } else if (length !== undefined) {
      if (!/^\d{1,15}$/.test(length)) throw malformed('its length is not a number')
      yield* this.#take(Number(length))
    } else {
      this.keepsAlive = false
      do yield* this.#take(this.#input.length)
      while (!(yield))
    }
  }

  *#readChunks(): Steps<void> {
    for (;;) {
      const size = /^([\da-f]{1,8})[ \t]*(?:;|$)/i.exec(yield* this.#until('\r\n'))?.[1]
      if (size === undefined) throw malformed('a chunk has no size')
      if (/^0+$/.test(size)) break
      yield* this.#take(Number.parseInt(size, 16))
      if ((yield* this.#until('\r\n')) !== '') throw malformed('a chunk is longer than its size')
    }
    // Trailers.
    while ((yield* this.#until('\r\n')) !== '');
  }

  /** Reads the text before a mark. Another protocol, such as SSH, may send only a greeting. */
  *#until(mark: string, beginning = ''): Steps<string> {
    for (;;) {
      const input = this.#input
      const end = input.indexOf(mark, 0, 'latin1')
      if ((end < 0 ? input.length : end) > MOST_IN_HEAD) throw tooLarge('a head', MOST_IN_HEAD)
      if (end >= 0) {
        this.#input = input.subarray(end + mark.length)
        return input.toString('latin1', 0, end)
      }
      const first = input.toString('latin1', 0, beginning.length)
      if (!beginning.startsWith(first)) throw malformed('it does not begin with a status line')
      yield
    }
  }

  /** Appends a number of bytes to the body. */
  *#take(bytes: number): Steps<void> {
    if (this.#length + bytes > this.#mostBytes) throw tooLarge('a body', this.#mostBytes)
    for (let left = bytes; ; ) {
      const data = this.#input.subarray(0, left)
      this.#input = this.#input.subarray(data.length)
      this.#append(data)
      left -= data.length
      if (left === 0) return
      yield
    }
  }

  #append(data: Buffer): void {
    const length = this.#length + data.length
    if (length > this.#body.length) {
      const longer = Buffer.allocUnsafe(Math.max(length, Math.min(this.#body.length * 2, this.#mostBytes)))
      this.#body.copy(longer, 0, 0, this.#length)
      this.#body = longer
    }
    data.copy(this.#body, this.#length)
    this.#length = length
  }
}

function readHead(head: string): { status: number; minor: string; headers: Record<string, string> } {
  const [statusLine = '', ...lines] = head.split('\r\n')
  const [, minor = '', digits] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [^\r\n\0]*)?$/.exec(statusLine) ?? []
  if (digits === undefined) throw malformed('it does not begin with a status line')
  if (digits === '101') throw malformed('it changes the protocol')
  // `__proto__` may be a header.
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase()
    const value = line.slice(colon + 1).trim()
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || /[\r\n\0]/.test(value)) throw malformed('a header cannot be read')
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { status: Number(digits), minor, headers }
}

function malformed(reason: string): Error {
  return Object.assign(new Error(reason), { code: 'MalformedResponse' })
}

function tooLarge(what: string, most: number): Error {
  return Object.assign(new Error(`${what} of more than ${most} bytes`), { code: 'ResponseTooLarge' })
}

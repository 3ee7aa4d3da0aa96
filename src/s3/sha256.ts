import { createHmac, hash } from 'node:crypto'

interface Hmac {
  secret: string
  data: Uint8Array
  digest: Uint8Array
}

/** The last HMAC under a text: the signer's own name for the credentials. */
let last: Hmac | undefined

/**
 * SHA-256 and its HMAC as the SDK's signer asks for them: of one piece, once. It finds its signing key by an HMAC of the credentials, anew for
 * each request and always the same, which is kept here. The SDK's own class can do more, and takes three times as long.
 */
export class Sha256 {
  readonly #secret: string | Uint8Array | undefined
  #data: Uint8Array = new Uint8Array()

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#secret = secret as string | Uint8Array | undefined
  }

  update(data: Uint8Array): void {
    if (this.#data.length > 0) throw new Error('a second piece')
    this.#data = data
  }

  async digest(): Promise<Uint8Array> {
    const [secret, data] = [this.#secret, this.#data]
    if (secret === undefined) return hash('sha256', data, 'buffer')
    if (typeof secret === 'string' && secret === last?.secret && Buffer.compare(data, last.data) === 0) {
      return last.digest
    }
    const digest = createHmac('sha256', secret).update(data).digest()
    if (typeof secret === 'string') last = { secret, data, digest }
    return digest
  }

  reset(): void {
    throw new Error('used once')
  }
}

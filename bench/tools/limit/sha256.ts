import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'

/** SHA-256 as the SDK's signer wants it. */
export class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | Uint8Array | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as Buffer)
  }

  update(data: string | Uint8Array): void {
    this.#hash.update(data)
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {}
}

export interface StoredObject {
  key: string
  size: number
  /** Without quotes. */
  etag: string
  /** Milliseconds since 1970, whole seconds. */
  modified: number
  /** Response headers of a GET or HEAD. */
  headers: Record<string, string>
  body: Buffer | undefined
}

export interface Listing {
  objects: StoredObject[]
  commonPrefixes: string[]
  /** The last listed key, if there are more. */
  next: string | undefined
}

/** Objects by key. An object never changes, so a copy of the map saves the bucket's state. */
export class Store {
  #objects = new Map<string, StoredObject>()
  #sorted: string[] = []

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key)
  }

  set(object: StoredObject): void {
    if (!this.#objects.has(object.key)) this.#sorted.splice(this.#search(object.key), 0, object.key)
    this.#objects.set(object.key, object)
  }

  delete(key: string): void {
    if (this.#objects.delete(key)) this.#sorted.splice(this.#search(key), 1)
  }

  all(): StoredObject[] {
    return this.#sorted.map((key) => this.#objects.get(key) as StoredObject)
  }

  replaceAll(objects: readonly StoredObject[]): void {
    this.#objects = new Map(objects.map((object) => [object.key, object]))
    this.#sorted = objects.map(({ key }) => key)
  }

  /** Compares keys by UTF-16 instead of UTF-8: the works' keys are ASCII. */
  list(query: { prefix: string; delimiter: string; after: string; limit: number }): Listing {
    const { prefix, delimiter, after, limit } = query
    const listing: Listing = { objects: [], commonPrefixes: [], next: undefined }
    let last = ''
    let count = 0
    for (let i = this.#search(after > prefix ? after : prefix); i < this.#sorted.length; i++) {
      const key = this.#sorted[i] as string
      if (!key.startsWith(prefix)) break
      if (key <= after && after !== '') continue
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      const common = end < 0 ? undefined : key.slice(0, end + delimiter.length)
      if (common !== undefined && (common === last || common <= after)) continue
      if (count === limit) {
        listing.next = last
        break
      }
      if (common === undefined) listing.objects.push(this.#objects.get(key) as StoredObject)
      else listing.commonPrefixes.push(common)
      last = common ?? key
      count++
    }
    return listing
  }

  #search(key: string): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sorted[middle] as string) < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

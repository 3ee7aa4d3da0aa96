/** True if the bytes begin as a certificate, a request for one, a revocation list or a public key in DER. */
export function isPublicDer(bytes: Buffer): boolean {
  const outer = valueAt(bytes, 0)
  if (outer?.tag !== sequence) return false
  const members = valuesIn(bytes, outer)
  const [first] = members
  const tags = tagsOf(members)
  // PKCS#1: modulus and exponent.
  if (tags === '02 02') return true
  if (first?.tag !== sequence) return false
  const inner = tagsOf(valuesIn(bytes, first))
  // Algorithm and key. A private key in this place is an octet string.
  if (tags === '30 03') return inner.startsWith('06')
  // Certificate: version, serial number, algorithm, issuer, dates, subject. Revocation list: version, algorithm, issuer, date.
  // Request: version, subject, key, attributes.
  return /^(a0 )?02 30 30 30 30|^(02 )?30 30 1[78]|^02 30 30 a0/.test(inner)
}

interface Value {
  tag: number
  begin: number
  end: number
}

const sequence = 0x30

function valueAt(bytes: Buffer, at: number): Value | undefined {
  const tag = bytes[at]
  const length = bytes[at + 1]
  if (tag === undefined || length === undefined) return undefined
  const begin = at + 2
  if (length < 0x80) return { tag, begin, end: begin + length }
  const size = length - 0x80
  // Zero stands for an unknown length, which DER does not allow.
  if (size === 0 || size > 4 || begin + size > bytes.length) return undefined
  return { tag, begin: begin + size, end: begin + size + bytes.readUIntBE(begin, size) }
}

/** As many values as `tagsOf` needs. */
function valuesIn(bytes: Buffer, { begin, end }: Value): Value[] {
  const values: Value[] = []
  for (let at = begin; at < Math.min(end, bytes.length) && values.length < 8; at = values.at(-1)?.end ?? end) {
    const value = valueAt(bytes, at)
    if (!value || value.end > end) return values
    values.push(value)
  }
  return values
}

function tagsOf(values: readonly Value[]): string {
  return values.map(({ tag }) => tag.toString(16).padStart(2, '0')).join(' ')
}

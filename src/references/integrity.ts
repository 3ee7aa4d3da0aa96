/** Node's algorithms by their names in an `integrity`. Strongest first. */
const algorithms = ['sha512', 'sha384', 'sha256'] as const
export type Algorithm = (typeof algorithms)[number]

/** The algorithm that browsers use of an `integrity`, and its values in base64; undefined if browsers check nothing. */
export interface Integrity {
  algorithm: Algorithm
  values: string[]
}

/** @see https://www.w3.org/TR/SRI/#parse-metadata */
export function parseIntegrity(attribute: string): Integrity | undefined {
  const hashes = [...attribute.matchAll(/(?:^|\s)(sha(?:256|384|512))-([\w+/-]+={0,2})(?:\?\S*)?(?=\s|$)/gi)]
  for (const algorithm of algorithms) {
    const values = hashes.filter(([, name]) => name?.toLowerCase() === algorithm).map(([, , value = '']) => value)
    if (values.length > 0) return { algorithm, values: values.map(plainBase64) }
  }
  return undefined
}

/** Turns URL-safe base64 into ordinary base64. */
function plainBase64(value: string): string {
  return value.replaceAll('-', '+').replaceAll('_', '/')
}

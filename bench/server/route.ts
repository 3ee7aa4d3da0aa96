import type { Content } from './content.js'
import type { Answer } from './http.js'
import { failure, xmlAnswer } from './xml.js'

/** How the server carries out one request. */
export interface Route {
  /** S3's name of the operation. */
  operation: string
  /** Whether the answer needs nothing of the request body, its size and MD5 (`measured`), or its bytes (`kept`). */
  body?: 'ignored' | 'measured' | 'kept'
  answer(content: Content): Answer
}

export const notImplemented: Route = { operation: 'unknown', answer: () => failure(501, 'NotImplemented') }

/** A route that always gives the same answer. */
export function fixed(operation: string, body: string): Route {
  return { operation, answer: () => (body === '' ? { status: 200 } : xmlAnswer(body)) }
}

const storedHeaders = new Set([
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
])

/** The request headers that S3 stores with an object. */
export function headersToStore(headers: Record<string, string>): Record<string, string> {
  const result: Record<string, string> = {}
  for (const name in headers) {
    if (storedHeaders.has(name) || name.startsWith('x-amz-meta-')) result[name] = headers[name] as string
  }
  const encoding = result['content-encoding']
  if (encoding?.includes('aws-chunked')) {
    const others = encoding.split(',').filter((each) => each.trim() !== 'aws-chunked')
    if (others.length > 0) result['content-encoding'] = others.join(',')
    else delete result['content-encoding']
  }
  return result
}

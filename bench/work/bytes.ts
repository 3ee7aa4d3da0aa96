import { createCipheriv, hash } from 'node:crypto'

/** The text around the random part, so that bundlers can parse the file. */
const frames: Record<string, [string, string]> = {
  js: ['export default "', '"'],
  css: ['.a{content:"', '"}'],
  html: ['<!doctype html><!--', '-->'],
  svg: ['<!--', '--><svg xmlns="http://www.w3.org/2000/svg"/>'],
  txt: ['', ''],
}

/** A file's incompressible bytes. They depend on the seed alone. A text file gets text. */
export function bytesOf(path: string, seed: string, size: number): Buffer {
  const key = hash('sha256', seed, 'buffer')
  const random = (length: number) => createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length))
  const frame = frames[path.slice(path.lastIndexOf('.') + 1)]
  if (!frame) return random(size)
  const [begin, end] = frame
  const length = size - begin.length - end.length
  return Buffer.from(begin + random(length).toString('base64').slice(0, length) + end)
}

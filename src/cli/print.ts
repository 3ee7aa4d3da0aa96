import { stripVTControlCharacters } from 'node:util'
import pc from 'picocolors'

/** Prints text, with its colours only in a terminal. On Windows, picocolors also colours output to files and pipes. */
export function print(stream: NodeJS.WriteStream, text: string): void {
  const { FORCE_COLOR, CI } = process.env
  const isPlain = process.platform === 'win32' && !stream.isTTY && !FORCE_COLOR && !CI
  stream.write(isPlain ? stripVTControlCharacters(text) : text)
}

/** @param message without control characters */
export function printWarning(message: string): void {
  print(process.stderr, `${pc.yellow(`static-s3: ${message}`)}\n`)
}

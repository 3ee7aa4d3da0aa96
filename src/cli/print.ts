import { stripVTControlCharacters } from 'node:util'

/** Prints text, with its colours only in a terminal. On Windows, picocolors also colours output to files and pipes. */
export function print(stream: NodeJS.WriteStream, text: string): void {
  const { FORCE_COLOR, CI } = process.env
  const isPlain = process.platform === 'win32' && !stream.isTTY && !FORCE_COLOR && !CI
  stream.write(isPlain ? stripVTControlCharacters(text) : text)
}

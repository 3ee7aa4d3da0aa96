import { stripVTControlCharacters } from 'node:util'
import pc from 'picocolors'
import { type FoldersInput, resultsAsJson } from '../deploy/commands/deploy-folders.js'
import { printable } from '../runtime/printable.js'

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

/** Flags of commands that deploy. */
export const resultFlags = {
  json: { type: 'boolean' },
  report: { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const

/** Runs deploys and prints their results: for people, and with `--json` for scripts, on the standard output. */
export async function printResults(
  json: boolean,
  deploy: (output: Pick<FoldersInput, 'logger' | 'terminal'>) => Promise<Parameters<typeof resultsAsJson>[0]>,
): Promise<void> {
  const stream = json ? process.stderr : process.stdout
  const logger = { info: (message: string) => print(stream, `${message}\n`), warn: printWarning }
  const results = await deploy({ logger, terminal: stream })
  if (json) process.stdout.write(printable(resultsAsJson(results)))
}

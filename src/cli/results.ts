import { type FoldersInput, resultsAsJson } from '../deploy/deploy-folders.js'
import { plain, readable } from '../runtime/error.js'
import { printable } from '../runtime/printable.js'
import { print, printWarning } from './print.js'

/** Runs deploys and prints their results: for people, and with `--json` for scripts, on the standard output. */
export async function printResults(
  json: boolean,
  deploy: (output: Pick<FoldersInput, 'logger' | 'terminal'>) => Promise<Parameters<typeof resultsAsJson>[0]>,
): Promise<void> {
  const stream = json ? process.stderr : process.stdout
  const logger = { info: (message: string) => print(stream, `${message}\n`), warn: printWarning }
  const results = await deploy({ logger, terminal: stream }).catch((error) => {
    printJson([{ status: 'failed', error: plain(readable(error)) }])
    throw error
  })
  printJson(results)

  function printJson(results: Parameters<typeof resultsAsJson>[0]): void {
    if (json) process.stdout.write(printable(resultsAsJson(results)))
  }
}

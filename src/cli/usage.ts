import { type ParseArgsConfig, parseArgs } from 'node:util'
import { printable } from '../runtime/printable.js'

/** A command line that can't be understood. */
export class Usage extends Error {
  override name = 'Usage'

  constructor(problem: string) {
    super(`static-s3: ${printable(problem)}\n`)
  }
}

/** `parseArgs`, with its complaints as ours. */
export function readWords<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new Usage((error as Error).message.replace(/\. To specify.*$/s, ''))
  }
}

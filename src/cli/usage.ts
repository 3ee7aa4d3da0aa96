import { statSync } from 'node:fs'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { plain, readable } from '../runtime/error.js'
import { orUndefined } from '../runtime/or-undefined.js'
import { printable } from '../runtime/printable.js'

/** A command, `static-s3 NAME …`. */
export interface Command {
  /** The words after its name: `DIR [LOCATION]`. */
  words: string
  /** One line for the list of commands. */
  summary: string
  /**
   * @returns the exit code, if it is a number
   * @throws Usage on a wrong command line
   * @throws StaticS3Error when something fails
   */
  run(words: readonly string[]): Promise<unknown>
}

/** A wrong command line. */
export class Usage extends Error {
  override name = 'Usage'

  constructor(problem: string) {
    super(`static-s3: ${printable(problem)}`)
  }
}

type Flags = NonNullable<ParseArgsConfig['options']>
type Config<F extends Flags> = { options: F; allowPositionals: true; strict: true }

/** A command's parts: `help` is printed for `--help`, and `run` gets the flags and the other words. */
interface Parts<F extends Flags> extends Pick<Command, 'words' | 'summary'> {
  help: string
  /** With `json`, each end of the command prints one JSON value on the standard output. */
  flags: F
  run(values: ReturnType<typeof parseArgs<Config<F>>>['values'], positionals: readonly string[]): Promise<unknown>
}

export function commandOf<const F extends Flags>({ words, summary, help, flags, run }: Parts<F>): Command {
  return {
    words,
    summary,
    async run(args) {
      try {
        const options = { ...flags, help: { type: 'boolean', short: 'h' } } as const
        const { values, positionals } = readWords({ args: [...args], options, allowPositionals: true, strict: true })
        const { help: helped, ...others } = values as { help?: boolean }
        return helped ? process.stdout.write(help) : await run(others as Parameters<typeof run>[0], positionals)
      } catch (error) {
        if ('json' in flags && args.includes('--json')) {
          printJson({ status: 'failed', error: plain(readable(error)).trimEnd() })
        }
        throw error
      }
    },
  }
}

export function printJson(value: unknown): void {
  process.stdout.write(`${printable(JSON.stringify(value, undefined, 2))}\n`)
}

/** `parseArgs`, with its errors as ours. */
function readWords<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new Usage((error as Error).message.replace(/\. To specify.*$/s, ''))
  }
}

/** @throws Usage if one of them is not a folder */
export function checkFolders(dirs: readonly string[]): void {
  for (const dir of dirs) {
    if (!orUndefined(() => statSync(dir))?.isDirectory()) throw new Usage(`${dir} is not a folder`)
  }
}

import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { debugging, readable, StaticS3Error } from '../runtime/error.js'
import { suggestion } from '../runtime/suggestion.js'
import { planCommand } from './plan.js'
import { Usage } from './usage.js'

const commands = { plan: planCommand }

const help = `static-s3 ${Object.keys(commands).join(' | ')}

  static-s3 plan DIR [LOCATION]    what a deploy of this folder would do, and why; nothing is written

Settings come from the environment and from .env files, as in a build. static-s3 plan --help tells the options.
`

/**
 * Runs a command and tells the process's exit code: 0 when all went well, 1 when it failed, 2 when it can't be understood.
 *
 * @param words the command line, without Node and the script
 */
export async function runCommand([name, ...words]: readonly string[]): Promise<number> {
  try {
    if (name === '--version') process.stdout.write(`${version()}\n`)
    else if (name === undefined || name === '--help' || name === '-h') process.stdout.write(help)
    else if (!Object.hasOwn(commands, name))
      throw new Usage(`no command \`${name}\`${suggestion(name, Object.keys(commands))}`)
    else await commands[name as keyof typeof commands](words)
    return 0
  } catch (thrown) {
    const error = readable(thrown)
    if (!(error instanceof StaticS3Error) && !(error instanceof Usage)) throw error
    process.stderr.write(`${debugging() ? error.stack : error.message}\n`)
    return error instanceof Usage ? 2 : 1
  }
}

/** npm links to the script: what counts is where it lies. */
function version(): string {
  const script = realpathSync(process.argv[1] as string)
  const manifest = readFileSync(join(dirname(script), '../package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

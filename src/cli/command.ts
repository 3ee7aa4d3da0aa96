import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { debugging, readable, StaticS3Error } from '../runtime/error.js'
import { suggestion } from '../runtime/suggestion.js'
import { checkCommand } from './check.js'
import { deployCommand } from './deploy.js'
import { planCommand } from './plan.js'
import { policyCommand } from './policy.js'
import { promoteCommand } from './promote.js'
import { activateCommand, rollbackCommand } from './releases/activate.js'
import { holdCommand, resumeCommand } from './releases/hold.js'
import { pruneCommand } from './releases/prune.js'
import { releasesCommand } from './releases/releases.js'
import { setupCommand } from './setup.js'
import { syncCommand } from './sync.js'
import { urlCommand } from './url.js'
import { type Command, Usage } from './usage.js'

const commands: Record<string, Command> = {
  deploy: deployCommand,
  sync: syncCommand,
  plan: planCommand,
  promote: promoteCommand,
  releases: releasesCommand,
  rollback: rollbackCommand,
  activate: activateCommand,
  hold: holdCommand,
  resume: resumeCommand,
  prune: pruneCommand,
  setup: setupCommand,
  check: checkCommand,
  policy: policyCommand,
  url: urlCommand,
}

function help(): string {
  const usages = Object.entries(commands).map(([name, { words, summary }]) => ({ usage: `${name} ${words}`, summary }))
  const width = Math.max(...usages.map(({ usage }) => usage.length))
  const lines = usages.map(({ usage, summary }) => `  static-s3 ${usage.padEnd(width)}    ${summary}\n`)
  return `static-s3 ${Object.keys(commands).join(' | ')}

${lines.join('')}
Settings come from the environment and from .env files, as in a build. static-s3 COMMAND --help prints the options.
`
}

/**
 * Runs a command, and returns the process's exit code: 0 if it succeeded, 1 if it failed, 2 if the command line can't be understood.
 *
 * @param words the command line, without Node and the script
 */
export async function runCommand([name, ...words]: readonly string[]): Promise<number> {
  try {
    if (name === '--version') process.stdout.write(`${version()}\n`)
    else if (name === undefined || name === '--help' || name === '-h') process.stdout.write(help())
    else if (!Object.hasOwn(commands, name))
      throw new Usage(`no command \`${name}\`${suggestion(name, Object.keys(commands))}`)
    else {
      const code = await commands[name]?.run(words)
      return typeof code === 'number' ? code : 0
    }
    return 0
  } catch (thrown) {
    const error = readable(thrown)
    if (!(error instanceof StaticS3Error) && !(error instanceof Usage)) throw error
    process.stderr.write(`${debugging() ? error.stack : error.message}\n`)
    return error instanceof Usage ? 2 : 1
  }
}

/** npm makes a link to the script. */
function version(): string {
  const script = realpathSync(process.argv[1] as string)
  const manifest = readFileSync(join(dirname(script), '../package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

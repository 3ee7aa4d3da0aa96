import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Deployer } from '../release/records/record.js'
import { commitOf } from '../settings/checkout.js'
import type { Variables } from '../settings/environment.js'

/**
 * The CI job that deploys, and its commit. Readers of the records and waiting deploys see them, so they name no person and no machine.
 *
 * @param bundler with its version: `vite 8.3.8`. Or the command, if it is not a deploy's: `static-s3 prune`
 */
export async function whoDeploys(bundler: string, shell: Variables, preview?: Deployer['preview']): Promise<Deployer> {
  const project = await projectOf(process.cwd())
  return {
    id: randomUUID(),
    by: jobOf(shell) ?? 'a run outside of CI',
    command: /^static-s3 ([a-z]+)$/.exec(bundler)?.[1] ?? 'deploy',
    commit: commitOf(shell),
    bundler,
    project,
    preview,
  }
}

/** The variables in which CI services give a job's address. */
const addresses = ['CI_JOB_URL', 'BUILD_URL', 'CIRCLE_BUILD_URL', 'BUILDKITE_BUILD_URL', 'TRAVIS_BUILD_WEB_URL']

/** An address that a person can open. */
function jobOf(shell: Variables): string | undefined {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = shell
  const address =
    GITHUB_SERVER_URL && GITHUB_REPOSITORY && GITHUB_RUN_ID
      ? `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`
      : addresses.map((name) => shell[name]).find(Boolean)
  if (address === undefined || !/^https?:\/\/[^/]/i.test(address) || !URL.canParse(address)) return undefined
  // Userinfo, query and fragment may be credentials.
  const { origin, pathname } = new URL(address)
  return hasSecret(pathname, shell) ? origin : origin + pathname
}

function hasSecret(path: string, shell: Variables): boolean {
  const isSecret = (name: string) => /TOKEN|SECRET|PASSWORD|KEY/i.test(name)
  return Object.entries(shell).some(([name, value = '']) => isSecret(name) && value.length >= 8 && path.includes(value))
}

/** The `name` in the nearest `package.json`, from this folder upwards; undefined if the file has no name. */
export async function projectOf(folder: string): Promise<string | undefined> {
  const { name } = await nearestPackage(folder)
  return typeof name === 'string' && name !== '' ? name : undefined
}

export async function nearestPackage(folder: string): Promise<{ name?: unknown; version?: unknown }> {
  try {
    return Object(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
  } catch {
    const above = dirname(folder)
    return above === folder ? {} : nearestPackage(above)
  }
}

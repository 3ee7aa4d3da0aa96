import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { promisify } from 'node:util'
import type { Deployer } from '../release/record.js'
import type { Variables } from '../settings/environment.js'
import { projectOf } from './project.js'

/** Who deploys: the CI job, or the user, and the machine; and from which commit. */
export async function whoDeploys(bundler: string, shell: Variables): Promise<Deployer> {
  const [commit, project] = await Promise.all([commitOf(shell), projectOf(process.cwd())])
  return { id: randomUUID(), by: jobOf(shell) ?? `${userName()}@${hostname()}`, commit, bundler, project }
}

/** An address that a person can open. */
function jobOf(shell: Variables): string | undefined {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = shell
  if (GITHUB_SERVER_URL && GITHUB_REPOSITORY && GITHUB_RUN_ID) {
    return `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}/actions/runs/${GITHUB_RUN_ID}`
  }
  const url = shell.CI_JOB_URL || shell.BUILD_URL || shell.CIRCLE_BUILD_URL || undefined
  // Readers of the record must not get credentials for that address.
  return url?.replace(/\/\/[^/@]*@/, '//')
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user id in a container may have no name.
    return 'somebody'
  }
}

async function commitOf(shell: Variables): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD'], { timeout: 2000 })
    return stdout.trim()
  } catch {
    // Not a repository, or git is not installed.
    return shell.GITHUB_SHA || shell.CI_COMMIT_SHA || shell.GIT_COMMIT || shell.CIRCLE_SHA1 || undefined
  }
}

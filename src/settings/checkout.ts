import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { orUndefined } from '../runtime/or-undefined.js'
import type { Variables } from './environment.js'

/**
 * The variables in which CI services name the branch, those for pull requests first. CI checks out a commit, so git itself knows no branch there.
 *
 * | service            | page                                                                                                     |
 * |--------------------|----------------------------------------------------------------------------------------------------------|
 * | GitHub Actions     | https://docs.github.com/en/actions/reference/workflows-and-actions/variables                             |
 * | GitLab             | https://docs.gitlab.com/ci/variables/predefined_variables/                                               |
 * | Woodpecker, Drone  | https://woodpecker-ci.org/docs/usage/environment, https://docs.drone.io/pipeline/environment/reference/  |
 * | Bitbucket          | https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/                                |
 * | CircleCI           | https://circleci.com/docs/variables/                                                                     |
 * | Buildkite          | https://buildkite.com/docs/pipelines/configure/environment-variables                                     |
 * | Travis             | https://docs.travis-ci.com/user/environment-variables/                                                   |
 * | Azure Pipelines    | https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables                                 |
 * | AWS CodeBuild      | https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html                       |
 * | AWS Amplify        | https://docs.aws.amazon.com/amplify/latest/userguide/amplify-console-environment-variables.html          |
 * | Jenkins            | https://www.jenkins.io/doc/book/pipeline/multibranch/                                                    |
 * | Netlify            | https://docs.netlify.com/build/configure-builds/environment-variables/                                   |
 * | Vercel             | https://vercel.com/docs/environment-variables/system-environment-variables                               |
 * | Cloudflare         | https://developers.cloudflare.com/pages/configuration/build-configuration/                               |
 */
export const branchVariables = [
  ...['GITHUB_HEAD_REF', 'GITHUB_REF_NAME', 'CI_MERGE_REQUEST_SOURCE_BRANCH_NAME'],
  // Woodpecker's CI_COMMIT_BRANCH, DRONE_BRANCH and TRAVIS_BRANCH name the branch that a pull request is to change.
  ...['CI_COMMIT_SOURCE_BRANCH', 'CI_COMMIT_BRANCH', 'DRONE_SOURCE_BRANCH', 'DRONE_BRANCH'],
  ...['BITBUCKET_BRANCH', 'CIRCLE_BRANCH', 'BUILDKITE_BRANCH', 'TRAVIS_PULL_REQUEST_BRANCH', 'TRAVIS_BRANCH'],
  ...['SYSTEM_PULLREQUEST_SOURCEBRANCH', 'BUILD_SOURCEBRANCH', 'CODEBUILD_WEBHOOK_HEAD_REF', 'AWS_BRANCH'],
  ...['CHANGE_BRANCH', 'BRANCH_NAME', 'GIT_BRANCH', 'VERCEL_GIT_COMMIT_REF', 'CF_PAGES_BRANCH', 'WORKERS_CI_BRANCH'],
]

const commitVariables = [
  ...['GITHUB_SHA', 'CI_COMMIT_SHA', 'GIT_COMMIT', 'CIRCLE_SHA1', 'BITBUCKET_COMMIT', 'BUILDKITE_COMMIT'],
  ...['BUILD_SOURCEVERSION', 'VERCEL_GIT_COMMIT_SHA', 'CF_PAGES_COMMIT_SHA', 'WORKERS_CI_COMMIT_SHA'],
]

/** The places that may name a branch or a commit, for an error. */
export const searched = {
  branch: `git (symbolic-ref HEAD), ${branchVariables.join(', ')}`,
  commit: `git (rev-parse HEAD), ${commitVariables.join(', ')}`,
}

/** The branch that is being built. Undefined for a tag, and for a commit without a known branch. */
export function branchOf(shell: Variables): string | undefined {
  if (isTag(shell)) return undefined
  const { CI_MERGE_REQUEST_SOURCE_PROJECT_PATH, CI_MERGE_REQUEST_PROJECT_PATH } = shell
  // GITHUB_REF_NAME is the default branch in a workflow that follows another one.
  const { workflow_run: run, pull_request: request, repository } = gitHubEvent(shell)
  const netlify = shell.NETLIFY ? shell.HEAD : undefined
  const [named] = [run?.head_branch, ...branchVariables.map((name) => shell[name]), netlify].flatMap(branchIn)
  if (named === undefined) return git('symbolic-ref', '--quiet', '--short', 'HEAD')
  const from = (run ? run.head_repository : request?.head?.repo)?.full_name ?? CI_MERGE_REQUEST_SOURCE_PROJECT_PATH
  const to = repository?.full_name ?? CI_MERGE_REQUEST_PROJECT_PATH
  // A fork's `main` is not this project's. No branch has a colon.
  return from && from !== to ? `${from}:${named}` : named
}

function gitHubEvent({ GITHUB_EVENT_PATH: path }: Variables) {
  return Object(path && orUndefined(() => JSON.parse(readFileSync(path, 'utf8'))))
}

/** Some services name the tag where they otherwise name the branch. */
function isTag(shell: Variables): boolean {
  const { GITHUB_REF_TYPE, TAG_NAME, BRANCH_NAME } = shell
  if (GITHUB_REF_TYPE === 'tag' || (TAG_NAME && TAG_NAME === BRANCH_NAME)) return true
  return ['CI_COMMIT_TAG', 'DRONE_TAG', 'BUILDKITE_TAG', 'TRAVIS_TAG'].some((name) => shell[name])
}

/** `refs/tags/v1`, `refs/pull/1/merge` and `1/merge` are no branches. */
function branchIn(ref: unknown): string[] {
  if (typeof ref !== 'string') return []
  const branch = ref.trim().replace(/^refs\/heads\/|^origin\//, '')
  return branch === '' || /^refs\/|^\d+\/merge$/.test(branch) ? [] : [branch]
}

/** Branches whose newest preview never expires: this one, the repository's default branch, and the usual names of both. */
export function keptBranches(shell: Variables): string[] {
  const origin = git('symbolic-ref', '--quiet', '--short', 'refs/remotes/origin/HEAD')?.replace(/^origin\//, '')
  const known = [branchOf(shell), gitHubEvent(shell).repository?.default_branch, shell.CI_DEFAULT_BRANCH, origin]
  return ['main', 'master', 'trunk', 'production', ...known.filter((branch) => typeof branch === 'string')]
}

/** The commit that is being built. */
export function commitOf(shell: Variables): string | undefined {
  const named = commitVariables.map((name) => shell[name] ?? '')
  return git('rev-parse', 'HEAD') ?? named.find((value) => /^[0-9a-f]{7,64}$/i.test(value))
}

/** The first line of git's answer. Undefined without a repository, and without git. */
export function git(...words: string[]): string | undefined {
  const run = () => execFileSync('git', words, { encoding: 'utf8', timeout: 2000, stdio: ['ignore', 'pipe', 'ignore'] })
  return orUndefined(run)?.split('\n')[0]?.trim() || undefined
}

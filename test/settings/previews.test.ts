import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { decisiveValues } from '../../src/deploy/load-settings.js'
import { branchOf, branchVariables, keptBranches } from '../../src/settings/checkout.js'
import type { Variables } from '../../src/settings/environment.js'
import { locationAtOnce, resolveSettings, type SettingsInput } from '../../src/settings/settings.js'

const started = process.cwd()
let dir: string

/** Somewhere outside of any repository. */
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'static-s3-previews-')))
  process.chdir(dir)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  process.chdir(started)
  await rm(dir, { recursive: true, force: true })
})

const hasGit = spawnSync('git', ['--version']).status === 0
const needsGit = hasGit ? '' : ' (SKIPPED: git is not installed)'
const git = (...args: string[]) =>
  execFileSync('git', [...'-c user.name=x -c user.email=x@example.com -c commit.gpgSign=false'.split(' '), ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim()

function repository(branch: string): string {
  git('init', '--quiet', '--initial-branch', branch)
  git('commit', '--quiet', '--allow-empty', '--message', 'first')
  return git('rev-parse', 'HEAD')
}

const input = (location: string, shell: Variables = {}, more: Partial<SettingsInput> = {}): SettingsInput => ({
  options: { enabled: true, bucket: 'my-bucket', location },
  environment: { shell, files: {}, all: shell },
  build: { watch: false, whyNotProduction: undefined, mode: 'production' },
  findRegion: async () => 'us-east-1',
  findEndpoint: async () => ({ ignored: false }),
  ...more,
})

async function resolve(...given: Parameters<typeof input>) {
  const resolved = await resolveSettings(input(...given))
  if (!resolved.on) throw new Error(resolved.because)
  const { location, publicUrl, preview } = resolved.settings
  return { location, publicUrl, preview }
}

describe('the branch', () => {
  const tag = { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v1' }
  it.each<[where: string, shell: Variables, branch: string | undefined]>([
    ['a push on GitHub', { GITHUB_HEAD_REF: '', GITHUB_REF_NAME: 'feature/x' }, 'feature/x'],
    ['a pull request on GitHub', { GITHUB_HEAD_REF: 'feature/x', GITHUB_REF_NAME: '12/merge' }, 'feature/x'],
    ['a review on GitHub, whose ref is a merge', { GITHUB_REF_NAME: '12/merge' }, undefined],
    ['a tag on GitHub', tag, undefined],
    ['a push on GitLab', { CI_COMMIT_BRANCH: 'feature/x' }, 'feature/x'],
    ['a merge request on GitLab', { CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'feature/x' }, 'feature/x'],
    [
      'a merge request of a fork on GitLab',
      {
        CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'main',
        CI_MERGE_REQUEST_SOURCE_PROJECT_PATH: 'octocat/site',
        CI_MERGE_REQUEST_PROJECT_PATH: 'acme/site',
      },
      'octocat/site:main',
    ],
    ['a tag on GitLab', { CI_COMMIT_TAG: 'v1', CI_COMMIT_REF_NAME: 'v1' }, undefined],
    ['a tag on Jenkins', { TAG_NAME: 'v1', BRANCH_NAME: 'v1' }, undefined],
    ['a job that names an image', { TAG_NAME: 'v1', CI_COMMIT_BRANCH: 'x' }, 'x'],
    ['a tag on Buildkite', { BUILDKITE_TAG: 'v1', BUILDKITE_BRANCH: 'v1' }, undefined],
    ['a pull request on Woodpecker', { CI_COMMIT_SOURCE_BRANCH: 'x', CI_COMMIT_BRANCH: 'main' }, 'x'],
    ['a pull request on Travis', { TRAVIS_PULL_REQUEST_BRANCH: 'x', TRAVIS_BRANCH: 'main' }, 'x'],
    ['a pull request on Azure', { SYSTEM_PULLREQUEST_SOURCEBRANCH: 'refs/heads/a/b' }, 'a/b'],
    ['a push on Azure', { BUILD_SOURCEBRANCH: 'refs/heads/main' }, 'main'],
    ['a tag on Azure', { BUILD_SOURCEBRANCH: 'refs/tags/v1' }, undefined],
    ['a pull request on Jenkins', { CHANGE_BRANCH: 'x', BRANCH_NAME: 'PR-12' }, 'x'],
    ['a job of Jenkins', { GIT_BRANCH: 'origin/main' }, 'main'],
    ['a preview on Netlify', { NETLIFY: 'true', HEAD: 'x', BRANCH: 'pull/1/head' }, 'x'],
    ['a machine with a variable HEAD', { HEAD: 'x' }, undefined],
    ['no repository', {}, undefined],
  ])('of %s', (_where, shell, branch) => {
    expect(branchOf(shell)).toBe(branch)
  })

  it.each<[event: object, branch: string]>([
    [{ pull_request: { head: { repo: { full_name: 'octocat/site' } } } }, 'octocat/site:main'],
    [{ pull_request: { head: { repo: { full_name: 'acme/site' } } } }, 'main'],
    [{ workflow_run: { head_branch: 'x', head_repository: { full_name: 'acme/site' } } }, 'x'],
    [{ workflow_run: { head_branch: 'main', head_repository: { full_name: 'octocat/site' } } }, 'octocat/site:main'],
    [[], 'main'],
  ])("of GitHub's event %j", async (event, branch) => {
    const path = join(dir, 'event.json')
    await writeFile(path, JSON.stringify({ ...event, repository: { full_name: 'acme/site', default_branch: 'next' } }))
    expect(branchOf({ GITHUB_EVENT_PATH: path, GITHUB_REF_NAME: 'main' })).toBe(branch)
    // A checkout on GitHub has no origin/HEAD.
    expect(keptBranches({ GITHUB_EVENT_PATH: path })).toContain('next')
    await writeFile(path, 'no JSON')
    expect(branchOf({ GITHUB_EVENT_PATH: path, GITHUB_REF_NAME: 'main' })).toBe('main')
  })

  it.skipIf(!hasGit)(`comes from git without a variable; a detached HEAD has none${needsGit}`, () => {
    const head = repository('feature/x')
    expect(branchOf({})).toBe('feature/x')
    expect(branchOf({ GITHUB_REF_NAME: 'main' })).toBe('main')
    git('checkout', '--quiet', head)
    expect(branchOf({})).toBeUndefined()
  })
})

describe('a location with placeholders', () => {
  it.skipIf(!hasGit)(`is filled from git, also before the build${needsGit}`, async () => {
    const head = repository('feature/x')
    expect(await resolve('/previews/[branch]/')).toEqual({
      location: 'previews/feature--x',
      publicUrl: 'https://my-bucket.s3.us-east-1.amazonaws.com/previews/feature--x/',
      preview: { template: 'previews/[branch]', branch: 'feature/x' },
    })
    expect((await resolve('[branch]/[commit]')).location).toBe(`feature--x/${head.slice(0, 12)}`)
    expect(locationAtOnce(input('a-[branch]'))).toBe('a-feature--x')
    // Caches of bundlers depend on it.
    for (const name of [...branchVariables, 'GITHUB_REF_TYPE', 'GITHUB_EVENT_PATH']) vi.stubEnv(name, '')
    const options = { enabled: true, bucket: 'my-bucket', location: '[branch]' }
    const before = decisiveValues(options, 'production', dir)
    expect(decisiveValues(options, 'production', dir)).toEqual(before)
    git('checkout', '--quiet', '-b', 'other')
    expect(decisiveValues(options, 'production', dir)).not.toEqual(before)
  })

  it('comes from a variable too, and is one location for each of them', async () => {
    const shell = { AWS_LOCATION: 'p/[branch]', CI_COMMIT_BRANCH: 'x', CI_COMMIT_SHA: '0123456789ABCDEF0' }
    expect((await resolve(undefined as unknown as string, shell)).location).toBe('p/x')
    expect((await resolve('p/[commit]', shell)).location).toBe('p/0123456789ab')
  })

  it('is a pattern for a command about all previews', async () => {
    expect(await resolve('previews/[branch]', {}, { allPreviews: true })).toMatchObject({
      location: 'previews/*',
      preview: { template: 'previews/[branch]', branch: undefined },
    })
  })

  it.each<[location: string, says: string]>([
    ['p/[brnch]', 'option `location` is "p/[brnch]", and [brnch] is unknown: did you mean `branch`?'],
    ['p/[pr]', '[pr] is unknown: use one of branch, commit.'],
    ['p/[]', '[] is unknown'],
    ['p/[branch', 'use letters, digits and - _ . ~ /'],
    ['p/[[branch]]', 'use letters, digits and - _ . ~ /'],
    ['p/[branch]/..', 'remove empty, "." and ".." parts'],
    ['.static-[branch]', '.static-s3 contains the records'],
    ['.[branch]', '.static-s3 contains the records'],
    ['.static-s3/[branch]', '.static-s3 contains the records'],
    [
      'previews/[branch]',
      'write the branch itself, as in previews/my-branch, because none of these names one: git (symb',
    ],
    [
      '[commit]',
      'write the commit itself, as in 0123456789ab, because none of these names one: git (rev-parse HEAD), GITH',
    ],
  ])('%s is refused', async (location, says) => {
    await expect(resolve(location)).rejects.toThrow(says)
  })

  it('is not read by a build that is off', async () => {
    vi.stubEnv('PATH', dir)
    const { options, ...rest } = input('[branch]')
    expect(await resolveSettings({ ...rest, options: { ...options, enabled: false } })).toMatchObject({ on: false })
  })
})

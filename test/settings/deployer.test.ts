import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { whoDeploys } from '../../src/deploy/deployer.js'

const started = process.cwd()
let dir: string

/** Somewhere outside of any repository. */
beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'static-s3-deployer-')))
  process.chdir(dir)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  process.chdir(started)
  await rm(dir, { recursive: true, force: true })
})

const git = (...args: string[]) =>
  execFileSync('git', [...'-c user.name=x -c user.email=x@example.com -c commit.gpgSign=false'.split(' '), ...args], {
    encoding: 'utf8',
  }).trim()

const sha = '0123456789abcdef0123456789abcdef01234567'
const here = 'a run outside of CI'
const github = {
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'acme/site',
  GITHUB_RUN_ID: '42',
  GITHUB_SHA: sha,
}

describe('the name of the deployer', () => {
  it.each<[where: string, shell: Record<string, string>, by: string]>([
    ['on a laptop', {}, here],
    ['in GitHub Actions', github, 'https://github.com/acme/site/actions/runs/42'],
    ['with half of what GitHub Actions sets', { ...github, GITHUB_RUN_ID: '' }, here],
    ['in GitLab CI', { CI_JOB_URL: 'https://gitlab.com/acme/site/-/jobs/7' }, 'https://gitlab.com/acme/site/-/jobs/7'],
    ['in Jenkins', { BUILD_URL: 'https://ci.example.com/job/site/7/' }, 'https://ci.example.com/job/site/7/'],
    ['in CircleCI', { CIRCLE_BUILD_URL: 'https://circleci.com/gh/acme/7' }, 'https://circleci.com/gh/acme/7'],
    [
      'where the address has a password',
      { BUILD_URL: 'https://me:token@ci.example.com/7/' },
      'https://ci.example.com/7/',
    ],
    ['where the variable is empty', { CI_JOB_URL: '' }, here],
    [
      'where the address has a query',
      { BUILD_URL: 'https://ci.example.com/7/?token=hush#hush' },
      'https://ci.example.com/7/',
    ],
    [
      'where the server has a password',
      { ...github, GITHUB_SERVER_URL: 'https://me:hush@github.example.com' },
      'https://github.example.com/acme/site/actions/runs/42',
    ],
    ['where the server has one slash', { ...github, GITHUB_SERVER_URL: 'https:/me:hush@github.com' }, here],
    [
      'where the server has a query',
      { ...github, GITHUB_SERVER_URL: 'https://github.com?token=hush' },
      'https://github.com/',
    ],
    [
      'where the repository has a password',
      { ...github, GITHUB_REPOSITORY: '@evil/x?token=hush' },
      'https://github.com/@evil/x',
    ],
    ['where the address is none', { BUILD_URL: 'javascript:alert("hush")' }, here],
    [
      'where the path has a secret of the environment',
      { BUILD_URL: 'https://ci.example.com/hush-hush/7', CI_TOKEN: 'hush-hush' },
      'https://ci.example.com',
    ],
  ])('%s', async (_where, shell, by) => {
    expect(await whoDeploys('vite 8.0.0', shell)).toMatchObject({ by, bundler: 'vite 8.0.0' })
  })

  it('tells no user and no machine', async () => {
    const told = JSON.stringify(await whoDeploys('vite 8.0.0', { USER: 'me', LOGNAME: 'me' }))
    for (const name of [hostname(), userInfo().username]) expect(told).not.toContain(name)
  })

  it('each deploy has its own id', async () => {
    const [one, other] = [await whoDeploys('vite', {}), await whoDeploys('vite', {})]
    expect(one.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(one.id).not.toBe(other.id)
  })
})

const hasGit = spawnSync('git', ['--version']).status === 0
const needsGit = hasGit ? '' : ' (SKIPPED: git is not installed)'

describe('the commit', () => {
  const commitOf = async (shell: Record<string, string> = {}) => (await whoDeploys('vite', shell)).commit

  it.skipIf(!hasGit)(`comes from git, in subfolders too, even if variables name another${needsGit}`, async () => {
    git('init', '--quiet')
    git('commit', '--quiet', '--allow-empty', '--message', 'first')
    const head = git('rev-parse', 'HEAD')
    expect(head).toMatch(/^[0-9a-f]{40}$/)
    await mkdir('packages/site', { recursive: true })
    process.chdir('packages/site')
    expect(await commitOf({ GITHUB_SHA: sha })).toBe(head)
  })

  it.each<[variable: string]>([['GITHUB_SHA'], ['CI_COMMIT_SHA'], ['GIT_COMMIT'], ['CIRCLE_SHA1']])(
    'is %s outside of a repository',
    async (variable) => {
      expect(await commitOf({ [variable]: sha })).toBe(sha)
    },
  )

  it('is a hash, whatever the variable says', async () => {
    expect(await commitOf({ GITHUB_SHA: 'hush\u001b[31m', GIT_COMMIT: sha })).toBe(sha)
    expect(await commitOf({ GITHUB_SHA: 'hush' })).toBeUndefined()
  })

  it('comes from a variable without git', async () => {
    vi.stubEnv('PATH', dir)
    expect(() => git('--version')).toThrow('ENOENT')
    expect(await commitOf({ GITHUB_SHA: sha })).toBe(sha)
    expect(await commitOf()).toBeUndefined()
  })

  it('is undefined without a repository', async () => {
    expect(await commitOf()).toBeUndefined()
  })

  it.skipIf(!hasGit)(`is undefined in an empty repository${needsGit}`, async () => {
    git('init', '--quiet')
    expect(await commitOf()).toBeUndefined()
  })
})

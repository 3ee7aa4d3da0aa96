import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetBucketPolicyCommand, HeadBucketCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { deployEnv } from '../../fixtures/build/environment.js'
import { type Env, runProcess, startProcess } from '../../fixtures/build/run-process.js'
import { patience } from '../../fixtures/patience.js'
import { type EmbeddedS3, s3Servers, startEmbedded, type TestS3 } from '../../fixtures/s3/index.js'

// From an account without a bucket to a page that is served from one, by the commands alone.

const script = join(import.meta.dirname, '../../dist/cli.js')

for (const { name, title, available, start } of s3Servers) {
  describe.skipIf(!available)(`static-s3 setup on ${title}`, () => {
    let s3: TestS3
    let dir: string

    beforeAll(async () => {
      // Behind an endpoint, no request opens a public access block.
      s3 = name === 'embedded' ? await startEmbedded({ newBuckets: 'open' }) : await start()
      dir = await mkdtemp(join(tmpdir(), 'static-s3-setup-'))
    })
    afterAll(async () => {
      await rm(dir, { recursive: true, force: true })
      await s3.close()
    })

    const run = (words: string, env: Env) => runProcess([process.execPath, script, ...words.split(' ')], dir, env)
    const exists = (Bucket: string) =>
      s3
        .client()
        .send(new HeadBucketCommand({ Bucket }))
        .then(
          () => true,
          () => false,
        )

    it('leads to a bucket that a deploy with verify: fail accepts', async () => {
      const bucket = `site-${randomBytes(6).toString('hex')}`
      const second = `${bucket}-dev`
      const env = { ...deployEnv(s3, bucket), STATIC_S3_VERIFY: 'fail' }

      const shown = await run('setup --dry-run', env)
      expect(shown.code, shown.output).toBe(0)
      expect(shown.stdout).toContain(`+   "Resource": "arn:aws:s3:::${bucket}/static/*"`)
      const unasked = await run('setup', env)
      expect(shown.stdout).toBe(`${unasked.stdout}dry run: nothing was written\n`)
      expect(unasked.code).toBe(1)
      expect(unasked.stderr).toBe(
        'static-s3: nothing was changed: without a terminal, confirm the changes with --yes.\n',
      )
      expect(await exists(bucket)).toBe(false)

      const applied = await run(`setup --yes --also ${second} --also ${bucket} --also ${second}`, env)
      expect(applied.code, applied.output).toBe(0)
      expect(applied.stderr).toBe('')
      expect(applied.stdout).toContain(`  AWS_STORAGE_BUCKET_NAME=${bucket}\n`)
      expect(await exists(second)).toBe(true)

      await mkdir(join(dir, 'site'), { recursive: true })
      await writeFile(join(dir, 'site/index.html'), '<script type="module" src="app.js"></script>')
      await writeFile(join(dir, 'site/app.js'), 'export const a = 1')
      const deployed = await run('deploy site', env)
      expect(deployed.code, deployed.output).toBe(0)
      expect(deployed.output).not.toContain('visitors')
      const url = (path: string) => `${s3.endpoint}/${bucket}/${path}`
      const page = await fetch(url('static/index.html'), { headers: { origin: 'https://example.com' } })
      expect(page.status).toBe(200)
      expect(page.headers.get('access-control-allow-origin')).toBe('*')
      expect((await fetch(url('.static-s3/static/lock'))).status).toBe(403)
      expect((await fetch(url(''))).status).toBe(403)

      const again = await run(`setup --also ${second}`, env)
      expect(again.code, again.output).toBe(0)
      expect(again.stdout).toContain('already set up: nothing was changed')
      expect(again.stdout).not.toContain('sync')
      const media = await run('setup --yes --location media --addressing-style path', env)
      expect(media.stdout).toContain('\n  AWS_S3_ADDRESSING_STYLE=path\n')
      expect(media.stdout).toContain('\n  npx static-s3 sync DIR media\n  npx static-s3 check media\n')
    })

    it('keeps the statement of others, and prints JSON', async () => {
      const bucket = await s3.createBucket()
      const theirs = `{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::${bucket}/x/*"}`
      const Policy = `{"Version":"2012-10-17","Statement":[${theirs}]}`
      await s3.client().send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
      const { code, stdout, output } = await run(
        'setup --yes --json --origin https://example.com',
        deployEnv(s3, bucket),
      )
      expect(code, output).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject([
        {
          ...{ status: 'set up', bucket },
          create: false,
          changes: [{ part: 'lifecycle rules' }, { part: 'CORS rules' }, { part: 'bucket policy' }],
        },
      ])
      const after = await s3.client().send(new GetBucketPolicyCommand({ Bucket: bucket }))
      expect(after.Policy).toContain(theirs)
      const list = /lets everybody/
      expect(output).not.toMatch(list)
    })

    it.runIf(name === 'embedded')('refuses a command line that makes no sense', async () => {
      const env = deployEnv(s3, 'site')
      const arn = 'arn:aws:cloudfront::123456789012:distribution/E1ABC'
      const senseless = [
        '--origin https://a.example/x',
        '--cloudfront nonsense',
        `--public --cloudfront ${arn}`,
        'bucket',
      ]
      // Another store may not know the conditions of these policies, and let everybody do what they deny.
      const onlyOnAws = [`--cloudfront ${arn}`, '--immutable assets/*']
      const results = await Promise.all([...senseless, ...onlyOnAws].map((words) => run(`setup ${words}`, env)))
      expect(results.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2])
    })
  })
}

describe.skipIf(process.platform === 'win32')('a setup in a terminal (Windows has neither signals nor script)', () => {
  let s3: EmbeddedS3
  let dir: string
  let bucket: string
  const children: ChildProcess[] = []

  beforeAll(async () => {
    s3 = await startEmbedded({ newBuckets: 'open' })
    dir = await mkdtemp(join(tmpdir(), 'static-s3-setup-'))
  })
  beforeEach(() => {
    bucket = `site-${randomBytes(6).toString('hex')}`
    s3.server.reset()
  })
  afterEach(() => {
    s3.server.intercept = undefined
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })
  afterAll(async () => {
    await rm(dir, { recursive: true, force: true })
    await s3.close()
  })

  function start(command: readonly string[]) {
    const child = startProcess(command, dir, deployEnv(s3, bucket), 'pipe')
    children.push(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text))
    const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>((resolve) =>
      child.once('close', (code, signal) => resolve({ code, signal, output })),
    )
    const shows = (text: string) => vi.waitFor(() => expect(output).toContain(text), patience)
    return { child, ended, shows }
  }

  it('says after Ctrl-C what it did, and a second run goes on', async () => {
    /** Sends the signal while the request waits for its response. */
    const stopAt = async (operation: string, isAnswered = true, more: readonly string[] = []) => {
      const { child, ended } = start([process.execPath, script, 'setup', '--yes', ...more])
      s3.server.intercept = async (request) => {
        if (request.operation !== operation) return undefined
        child.kill('SIGINT')
        await (isAnswered ? sleep(300) : new Promise(() => {}))
        return undefined
      }
      const { signal, output } = await ended
      s3.server.intercept = undefined
      expect(signal).toBe('SIGINT')
      return output
    }
    const applied = (parts: string, others: string) =>
      `static-s3: stopped by SIGINT.\ns3://${bucket}: applied: ${parts}. ${others}. Then run setup again: it continues there.`
    const also = ['--also', `${bucket}-dev`]
    expect(await stopAt('HeadBucket')).toBe('')
    expect(await stopAt('CreateBucket', true, also)).toContain(
      `${applied('bucket', 'Not applied: lifecycle rules, CORS rules, bucket policy')}\ns3://${bucket}-dev: not begun.`,
    )
    expect(await stopAt('PutBucketLifecycleConfiguration')).toContain(
      applied('lifecycle rules', 'Not applied: CORS rules, bucket policy'),
    )
    expect(await stopAt('PutBucketCors', false)).toContain(
      applied('nothing', 'Not confirmed: CORS rules. Not applied: bucket policy'),
    )
    expect(await stopAt('PutBucketCors')).toContain(applied('CORS rules', 'Not applied: bucket policy'))
    expect(await stopAt('PutBucketPolicy')).toContain('stopped after the last change: everything is set up.')
    const { code, output } = await start([process.execPath, script, 'setup']).ended
    expect([code, output]).toEqual([0, expect.stringContaining('already set up: nothing was changed')])
  })

  it.skipIf(process.platform !== 'linux')(
    'does not take keys typed before the question for its answer (Linux has script)',
    async () => {
      const command = `stty cols 80; "${process.execPath}" "${script}" setup`
      const { child, ended, shows } = start(['script', '-qec', command, '/dev/null'])
      child.stdin?.write('y\ry')
      await shows('Apply these changes?')
      await sleep(300)
      expect(s3.server.requests.map(({ method }) => method)).not.toContain('PUT')
      child.stdin?.write('y')
      const { code, output } = await ended
      expect([code, output]).toEqual([0, expect.stringContaining('set up')])
    },
  )
})

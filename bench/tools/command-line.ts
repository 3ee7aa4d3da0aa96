import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { awsBundle } from '../environment.js'
import { type Executable, findExecutable } from './executable.js'
import type { Deploy, Tool } from './tool.js'

/** A program that syncs a folder. None deletes objects that the folder lacks: that is their default. */
interface Program {
  name: string
  setting: string
  executable: string
  versionFlag: string
  version: RegExp
  install: string
  argv(deploy: Deploy): string[]
  env?(deploy: Deploy): Record<string, string>
}

function program({ executable, versionFlag, version, argv, ...rest }: Program): Tool {
  let found: Executable | undefined
  return {
    ...rest,
    async find() {
      found = await findExecutable(executable, versionFlag, version)
      return found?.version
    },
    command: (deploy) => [(found as Executable).path, ...argv(deploy)],
  }
}

const target = ({ bucket, location }: Deploy) => `s3://${bucket}/${location}/`

export const awsCli = program({
  name: 'aws s3 sync',
  setting: 'defaults: 10 requests at a time',
  executable: 'aws',
  versionFlag: '--version',
  version: /aws-cli\/(\S+)/,
  install: 'Debian: awscli',
  argv: (deploy) => [
    ...['s3', 'sync', deploy.folder.dir, target(deploy)],
    ...['--endpoint-url', deploy.endpoint, '--only-show-errors'],
  ],
  env: ({ certificate }) => awsBundle(certificate),
})

export const s3cmd = program({
  name: 's3cmd sync',
  setting: '`--no-mime-magic`, types by the names; one request at a time',
  executable: 's3cmd',
  versionFlag: '--version',
  version: /s3cmd version (\S+)/,
  install: 'Debian: s3cmd',
  argv(deploy) {
    const config = join(deploy.home, 's3cfg')
    const { host } = new URL(deploy.endpoint)
    const { certificate } = deploy
    const protocol = `use_https = ${certificate === undefined ? 'False' : 'True'}`
    writeFileSync(config, `[default]\nhost_base = ${host}\nhost_bucket = ${host}\n${protocol}\n`)
    return [
      ...['sync', '--config', config, '--quiet', '--no-progress', '--no-mime-magic'],
      ...(certificate === undefined ? [] : ['--ca-certs', certificate]),
      ...[`${deploy.folder.dir}/`, target(deploy)],
    ]
  },
})

export const rclone = program({
  name: 'rclone copy',
  setting: '`--checksum --transfers 32 --checkers 32 --s3-no-check-bucket --s3-no-head`',
  executable: 'rclone',
  versionFlag: 'version',
  version: /rclone v(\S+)/,
  install: 'Debian: rclone',
  argv: ({ folder, endpoint, certificate, bucket, location, home }) => [
    ...['copy', folder.dir, `:s3:${bucket}/${location}`, '--config', join(home, 'rclone.conf'), '--quiet'],
    ...['--checksum', '--transfers', '32', '--checkers', '32', '--s3-no-check-bucket', '--s3-no-head'],
    ...['--s3-provider', 'Other', '--s3-env-auth', '--s3-endpoint', endpoint, '--s3-region', 'us-east-1'],
    ...(certificate === undefined ? [] : ['--ca-cert', certificate]),
  ],
})

export const s5cmd = program({
  name: 's5cmd sync',
  setting: 'defaults: 256 workers',
  executable: 's5cmd',
  versionFlag: 'version',
  version: /v?(\d+\.\d+\S*)/,
  install: 'https://github.com/peak/s5cmd, on the PATH',
  argv: (deploy) => [
    ...['--endpoint-url', deploy.endpoint, '--log', 'error'],
    ...['sync', `${deploy.folder.dir}/`, target(deploy)],
  ],
})

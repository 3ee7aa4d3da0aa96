import { join } from 'node:path'
import { awsBundle } from '../environment.js'
import { python } from '../measure.js'
import { benchFolder } from '../paths.js'
import { outputOf } from './executable.js'
import type { Tool } from './tool.js'

const versions = 'import django, storages; print(django.__version__, storages.__version__)'

export const django: Tool = {
  name: 'collectstatic',
  setting: 'Django with django-storages’ `S3StaticStorage`: one request at a time',
  install: 'Debian: python3-django python3-django-storages-boto3',

  async find() {
    const [, django, storages] = /^(\S+) (\S+)/.exec(await outputOf(python, ['-c', versions])) ?? []
    return django && `${django} with django-storages ${storages}`
  },

  command: () => [python, '-m', 'django', 'collectstatic', '--noinput', '--verbosity', '0'],

  env: ({ folder, endpoint, certificate, bucket, location }) => ({
    ...awsBundle(certificate),
    PYTHONPATH: join(benchFolder, 'tools/peers'),
    PYTHONDONTWRITEBYTECODE: '1',
    DJANGO_SETTINGS_MODULE: 'django_settings',
    BENCH_FOLDER: folder.dir,
    BENCH_ENDPOINT: endpoint,
    BENCH_BUCKET: bucket,
    BENCH_LOCATION: location,
  }),
}

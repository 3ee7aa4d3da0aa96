import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadEnv } from 'vite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readEnvironment, secretVariables, type Variables } from '../../src/settings/environment.js'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterEach(() => rm(dir, { recursive: true }))

/** Writes `.env` files and reads them. */
async function read(envFiles: Record<string, string>, shell: Variables = {}, mode = 'production') {
  for (const [name, content] of Object.entries(envFiles)) await writeFile(join(dir, name), content)
  return readEnvironment(mode, dir, shell)
}

describe('.env files', () => {
  const every = {
    '.env': 'A=env\nB=env\nC=env\nD=env',
    '.env.local': 'B=local\nC=local\nD=local',
    '.env.staging': 'C=mode\nD=mode',
    '.env.staging.local': 'D=mode.local',
    '.env.production': 'A=production',
  }

  it.each<[mode: string, is: Variables]>([
    ['staging', { A: 'env', B: 'local', C: 'mode', D: 'mode.local' }],
    ['production', { A: 'production', B: 'local', C: 'local', D: 'local' }],
    ['test', { A: 'env', B: 'local', C: 'local', D: 'local' }],
  ])('in mode %s the more specific one wins', async (mode, is) => {
    expect((await read(every, {}, mode)).all).toEqual(is)
  })

  it('are read as dotenv reads them', async () => {
    const content = [
      '# a comment',
      'BARE=a b # a comment',
      'SINGLE=\'{"StorageClass": "STANDARD_IA"}\'',
      'DOUBLE="two\\nlines"',
      'export EXPORTED=yes',
      '  SPACED  =  x  ',
      'EMPTY=',
      'EQUALS=a=b==',
    ].join('\r\n')
    expect((await read({ '.env': content })).all).toEqual({
      BARE: 'a b',
      SINGLE: '{"StorageClass": "STANDARD_IA"}',
      DOUBLE: 'two\nlines',
      EXPORTED: 'yes',
      SPACED: 'x',
      EMPTY: '',
      EQUALS: 'a=b==',
    })
  })

  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: dotenv's syntax, not JavaScript's
  it.each<[what: string, content: string, is: string]>([
    ['a name', 'OTHER=x\nNAME=$OTHER-y', 'x-y'],
    ['a name in braces', 'OTHER=x\nNAME=${OTHER}y', 'xy'],
    ['a name that comes later', 'NAME=$OTHER-y\nOTHER=x', 'x-y'],
    ['a name that refers to another', 'A=$NAME\nNAME=$OTHER$OTHER\nOTHER=$ZERO\nZERO=0', '00'],
    ["the shell's", 'NAME=$SHELL_OWN', 'from the shell'],
    ["the shell's before the file's", 'BOTH=file\nNAME=$BOTH', 'shell'],
    ['a default', 'NAME=${NOBODY:-fallback}', 'fallback'],
    ['nothing', 'NAME=a${NOBODY}b', 'ab'],
    ['not an escaped one', 'NAME=a\\$OTHER', 'a$OTHER'],
  ])('expand %s', async (_what, content, is) => {
    const { all } = await read({ '.env': content }, { SHELL_OWN: 'from the shell', BOTH: 'shell' })
    expect(all.NAME).toBe(is)
  })
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: dotenv's syntax, not JavaScript's

  it('have the values that Vite gives them', async () => {
    const { all, files } = await read(
      {
        '.env': 'Z_SITE=example.com\nA_URL=https://$Z_SITE/$M_DIR\nM_DIR=static\nQUOTED="a $M_DIR"\nPRICE=\\$5',
        '.env.production': 'M_DIR=assets # not static\nEMPTY=',
      },
      process.env,
    )
    expect(Object.keys(files).sort()).toEqual(['A_URL', 'EMPTY', 'M_DIR', 'PRICE', 'QUOTED', 'Z_SITE'])
    expect(all).toMatchObject(loadEnv('production', dir, Object.keys(files)))
  })

  it('expand across files', async () => {
    const { all } = await read({ '.env': 'SITE=example.com', '.env.production': 'AWS_S3_CUSTOM_DOMAIN=cdn.$SITE' })
    expect(all.AWS_S3_CUSTOM_DOMAIN).toBe('cdn.example.com')
  })
})

describe('the shell', () => {
  it.each<[shell: string | undefined, file: string | undefined, is: string | undefined]>([
    ['shell', 'file', 'shell'],
    ['shell', undefined, 'shell'],
    [undefined, 'file', 'file'],
    // Set to nothing is a word too: `USE_S3= npm run build` switches off what the file switches on.
    ['', 'file', ''],
    ['shell', '', 'shell'],
  ])('%j over %j is %j', async (shell, file, is) => {
    const files: Record<string, string> = file === undefined ? {} : { '.env.production.local': `NAME=${file}` }
    expect((await read(files, shell === undefined ? {} : { NAME: shell })).all.NAME).toBe(is)
  })

  it('is separate from the files', async () => {
    const shell = { ONLY_SHELL: 's', BOTH: 'shell' }
    const environment = await read({ '.env': 'ONLY_FILE=f\nBOTH=file' }, shell)
    expect(environment).toEqual({
      shell,
      files: { ONLY_FILE: 'f', BOTH: 'file' },
      all: { ONLY_SHELL: 's', ONLY_FILE: 'f', BOTH: 'shell' },
    })
  })

  it('does not change', async () => {
    const shell = Object.freeze({ BOTH: 'shell' })
    const before = { ...process.env }
    await read({ '.env': 'STATIC_S3_TEST=leaked\nBOTH=file' }, shell)
    expect(shell).toEqual({ BOTH: 'shell' })
    expect(process.env).toEqual(before)
  })
})

describe('nothing to read', () => {
  const shell = { A: 'shell' }

  it('no files', async () => {
    expect(await read({}, shell)).toEqual({ shell, files: {}, all: shell })
  })

  it('no folder', () => {
    expect(readEnvironment('production', join(dir, 'missing'), shell)).toEqual({ shell, files: {}, all: shell })
  })

  it('false instead of a folder, even if the working directory has files', async () => {
    await writeFile(join(dir, '.env'), 'A=file')
    const cwd = process.cwd
    process.cwd = () => dir
    try {
      expect(readEnvironment('production', false, shell)).toEqual({ shell, files: {}, all: shell })
    } finally {
      process.cwd = cwd
    }
  })

  it('a folder (a Python virtualenv) named .env', async () => {
    await mkdir(join(dir, '.env'))
    expect((await read({ '.env.production': 'B=file' }, shell)).all).toEqual({ A: 'shell', B: 'file' })
  })

  it('an empty file', async () => {
    expect((await read({ '.env': '' }, shell)).all).toEqual(shell)
  })
})

describe('secrets of .env files', () => {
  const long = 'd8f1-4b7e-9a2c'
  const found = (files: Variables, shell: Variables = {}, allowed: string[] = [], exposed: string[] = []) =>
    secretVariables({ shell, files, all: { ...files, ...shell } }, allowed, exposed)

  it('exclude those with a prefix that the bundler publishes', () => {
    const files = { APP_TOKEN: long, WEB_TOKEN: `${long}-2` }
    expect(found(files, {}, [], ['APP_'])).toEqual([{ name: 'WEB_TOKEN', value: `${long}-2` }])
    // Vite refuses an empty prefix; everything isn't meant.
    expect(found(files, {}, [], [''])).toHaveLength(2)
  })

  it.each([
    'SECRET',
    'SECRET_KEY',
    'APP_SECRET',
    'APP_SECRETS',
    'STRIPE_SECRET_KEY',
    'TOKEN',
    'SENTRY_AUTH_TOKEN',
    'GITHUB_TOKEN_2',
    'PASSWORD',
    'DB_PASSWORD',
    'PGPASSWORD',
    'MYSQL_PASSWD',
    'SSH_PRIVATE_KEY',
    'npm_config_token',
    // Django's, beside ours in one file.
    'DJANGO_SECRET_KEY',
    'AWS_SECRET_ACCESS_KEY',
  ])('%s is one', (name) => {
    expect(found({ [name]: long })).toEqual([{ name, value: long }])
  })

  it.each([
    'API_URL',
    'SENTRY_DSN',
    'MAPS_KEY',
    'AWS_STORAGE_BUCKET_NAME',
    // They say where it is, or what it is called.
    'DB_PASSWORD_FILE',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'CSRF_TOKEN_NAME',
    'CSRF_TOKEN_HEADER',
    'ACCESS_TOKEN_LIFETIME_MS',
    'TOKEN_ISSUER',
    'PASSWORD_RESET_EMAIL',
    'JWT_SECRET_ALGORITHM',
    // Meant for the bundle, by their prefix.
    'VITE_MAPBOX_TOKEN',
    'PUBLIC_MAPBOX_TOKEN',
    'NEXT_PUBLIC_TOKEN',
    'REACT_APP_TOKEN',
    'VUE_APP_TOKEN',
  ])('%s is none', (name) => {
    expect(found({ [name]: long })).toEqual([])
  })

  it('include one with such a prefix inside its name', () => {
    expect(found({ MY_VITE_TOKEN: long, REPUBLIC_TOKEN: long }).map(({ name }) => name)).toEqual([
      'MY_VITE_TOKEN',
      'REPUBLIC_TOKEN',
    ])
  })

  it.each<[value: string | undefined, counts: boolean]>([
    ['12345678', true],
    ['1234567', false],
    ['  1234567  ', false],
    ['', false],
    [undefined, false],
    ['correcthorse', true],
    ['false', false],
    ['undefined', false],
    ['changeme', false],
    ['change-me-please', false],
    ['your-token-here', false],
    ['<your token>', false],
    ['xxxxxxxxxxxx', false],
    ['********', false],
    ['password', false],
    ['password1', true],
    ['postgres', false],
    ['https://auth.example.com/oauth/token', false],
    ['https://user:pass@auth.example.com/', true],
    ['https://auth.example.com/?key=abc', true],
    ['postgres://user:pass@db/app', true],
    ['pässwörter', true],
  ])('a value of %j: %s', (value, counts) => {
    expect(found({ APP_SECRET: value })).toHaveLength(counts ? 1 : 0)
  })

  it('exclude those allowed by name', () => {
    expect(found({ A_TOKEN: long, B_TOKEN: long }, {}, ['A_TOKEN']).map(({ name }) => name)).toEqual(['B_TOKEN'])
  })

  it("have the shell's value too, but the shell's other variables are ignored", () => {
    const shell = { A_TOKEN: 'from-the-shell', B_TOKEN: 'from-the-shell', OTHER_TOKEN: 'not-looked-at' }
    expect(found({ A_TOKEN: long, B_TOKEN: '' }, shell)).toEqual([
      { name: 'A_TOKEN', value: long },
      { name: 'A_TOKEN', value: 'from-the-shell' },
      { name: 'B_TOKEN', value: 'from-the-shell' },
    ])
    expect(found({ A_TOKEN: long }, { A_TOKEN: long })).toHaveLength(1)
  })

  it('of several lines are reduced to their longest line, however the lines end', async () => {
    const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDAbCdEfGhIjKlM'
    const lines = ['-----BEGIN PRIVATE KEY-----', line, 'AbCd==', '-----END PRIVATE KEY-----']
    for (const text of [`"${lines.join('\\n')}"`, `'${lines.join('\\n')}'`, `"${lines.join('\n')}"`]) {
      const environment = await read({ '.env': `APP_PRIVATE_KEY=${text}\n` })
      expect(secretVariables(environment, [])).toEqual([{ name: 'APP_PRIVATE_KEY', value: line }])
    }
  })
})

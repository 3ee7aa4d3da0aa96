import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadEnv } from 'vite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolveForBuild } from '../../fixtures/build/settings.js'
import { readEnvironment, type Variables } from '../../src/settings/environment.js'

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
      dir,
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
    expect(await read({}, shell)).toEqual({ dir, shell, files: {}, all: shell })
  })

  it('no folder', () => {
    expect(readEnvironment('production', join(dir, 'missing'), shell)).toMatchObject({ shell, files: {}, all: shell })
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

describe('the encoding', () => {
  const content = 'USE_S3=1\nAWS_LOCATION=größe\n'

  it('may begin with a byte order mark', async () => {
    expect((await read({ '.env': `\ufeff${content}` })).files).toEqual({ USE_S3: '1', AWS_LOCATION: 'größe' })
  })

  it.each<[what: string, bytes: Buffer]>([
    ['UTF-16 with its mark, as PowerShell 5 writes it', Buffer.from(`\ufeff${content}`, 'utf16le')],
    ['UTF-16 without', Buffer.from(content, 'utf16le')],
    ['UTF-16 of the other byte order', Buffer.from(`\ufeff${content}`, 'utf16le').swap16()],
  ])('may not be %s', async (_what, bytes) => {
    for (const name of ['.env', '.env.production.local']) {
      await writeFile(join(dir, name), bytes)
      expect(() => readEnvironment('production', dir, {})).toThrow(
        `static-s3: ${join(dir, name)} is UTF-16 or no text: save it as UTF-8`,
      )
      await rm(join(dir, name))
    }
  })
})

// What SignatureDoesNotMatch says about keys in .env files.
describe('a key with signs that dotenv reads', () => {
  it.each<[line: string, is: string]>([
    ['KEY=ab#cd', 'ab'],
    ["KEY='ab#cd'", 'ab#cd'],
    ['KEY="ab#cd"', 'ab#cd'],
    ['KEY=ab$cd', 'ab'],
    ["KEY='ab$cd'", 'ab'],
    ["KEY='ab\\$cd'", 'ab$cd'],
    ['KEY=ab\\$cd', 'ab$cd'],
  ])('%s', async (line, is) => {
    expect((await read({ '.env': line })).all.KEY).toBe(is)
  })
})

describe('where USE_S3 was searched', () => {
  const because = async (folder: string, shell: Variables = {}, mode = 'production') => {
    await mkdir(join(dir, folder), { recursive: true })
    const environment = readEnvironment(mode, join(dir, folder), shell)
    return String(Object.values(await resolveForBuild({}, environment)).at(-1))
  }
  const searched = (folder: string) => `USE_S3 is not set, in the shell or in .env files of ${join(dir, folder)}`

  it.each<[folder: string, file: string, hint: string]>([
    ['web', '.env', "../.env sets it: with Vite, set envDir: '..'"],
    ['web', '.env.production', "../.env.production sets it: with Vite, set envDir: '..'"],
    ['apps/web', '.env', "../../.env sets it: with Vite, set envDir: '../..'"],
  ])('%s, below a %s', async (folder, file, hint) => {
    await writeFile(join(dir, file), 'SECRET_KEY=x\nUSE_S3=True\n')
    expect(await because(folder)).toBe(`${searched(folder)}; ${hint}, otherwise set USE_S3 in the shell`)
  })

  it.each<[what: string, file: string, content: string | Buffer]>([
    ['a file above that switches it off', '.env', 'USE_S3=False'],
    ['a file above without it', '.env', 'SECRET_KEY=x'],
    ['a file above of another mode', '.env.staging', 'USE_S3=1'],
    ['a file above that cannot be read', '.env', Buffer.from('USE_S3=1', 'utf16le')],
  ])('%s is not named', async (_what, file, content) => {
    await writeFile(join(dir, file), content)
    expect(await because('web')).toBe(searched('web'))
  })

  it('is not told if a setting says no', async () => {
    await writeFile(join(dir, '.env'), 'USE_S3=1')
    expect(await because('web', { USE_S3: '0' })).toBe('USE_S3 is "0"')
  })
})

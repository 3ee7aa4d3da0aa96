import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { secretParts } from '../../src/settings/credentials.js'
import { readEnvironment, type Variables } from '../../src/settings/environment.js'
import { secretVariables } from '../../src/settings/secret-variables.js'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'static-s3-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function read(envFiles: Record<string, string>) {
  for (const [name, content] of Object.entries(envFiles)) await writeFile(join(dir, name), content)
  return readEnvironment('production', dir, {})
}

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
    'SECRET_KEY_BASE',
    'DB_PASS',
    'SMTP_PWD',
    'GH_PAT',
    'HASHIDS_SALT',
    'clientSecret',
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
    'CSRF_TOKEN_FIELD',
    'TOKENIZER',
    'PASSWORD_HASHER',
    'CACHE_BYPASS',
    'DISPATCH',
    'STORAGE_KEY',
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
    ['83920174', false],
    ['839201745', true],
    ['2024-01-01', false],
    ['2024/01/01', false],
    ['2024-01-01-x', true],
    ['application/json', false],
    ['text/html', false],
    ['image/svg+xml', false],
    ['secrets/d8f1', true],
    ['text/Zk3v9QxT7mWb2LpR8sYd', true],
    ['accessToken1', false],
    ['api-key-v1', false],
    ['session_7', false],
    ['correcthorse1234', true],
    ['correcthorse12345', true],
    ['hGtRwQzx7', true],
    ['s3cr3tpass', true],
    ['12345678', false],
    ['1234567', false],
    ['  1234567  ', false],
    ['', false],
    [undefined, false],
    ['correcthorse1', false],
    ['correct-horse-battery', true],
    // A word of code.
    ['correcthorse', false],
    ['development', false],
    ['refresh-token', false],
    ['cl100k_base', true],
    // Code contains such runs.
    ['abcdefghijklmnop', false],
    ['0123456789abcdef', false],
    ['A1b2'.repeat(8), true],
    ['/9j4AAQSkZJRgAB2Hs7', true],
    ['/run/secrets/token', false],
    ['./keys/jwt-private.pem', false],
    ['certs/server.key', false],
    ['C:\\keys\\server', false],
    ['op://vault/item/field', false],
    ['YOUR_API_TOKEN_HERE', false],
    ['sk_test_xxxxxxxxxxxxxxxx', false],
    ['wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', false],
    ['pk_test_d8f14b7e9a2c', false],
    ['false', false],
    ['undefined', false],
    ['changeme', false],
    ['change-me-please', false],
    ['your-token-here', false],
    ['<your token>', false],
    ['xxxxxxxxxxxx', false],
    ['********', false],
    ['password', false],
    ['password1', false],
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
    expect(found({ A_TOKEN: long, B_TOKEN: `${long}-2` }, {}, ['A_TOKEN']).map(({ name }) => name)).toEqual(['B_TOKEN'])
  })

  it("have the shell's value too, but the shell's other variables are ignored", () => {
    const shell = { A_TOKEN: 'from-the-shell-1', B_TOKEN: 'from-the-shell-1', OTHER_TOKEN: 'not-looked-at' }
    expect(found({ A_TOKEN: long, B_TOKEN: '' }, shell)).toEqual([
      { name: 'A_TOKEN', value: long },
      { name: 'A_TOKEN', value: 'from-the-shell-1' },
      { name: 'B_TOKEN', value: 'from-the-shell-1' },
    ])
    expect(found({ A_TOKEN: long }, { A_TOKEN: long })).toHaveLength(1)
  })

  const random = 'Zk3v9QxT7mWb2LpR8sYd'

  it.each<[name: string, value: string, counts: boolean]>([
    ['STRIPE_API_KEY', random, true],
    ['ENCRYPTION_KEY', 'c0ffee254729296a45a3885639AC7E10', true],
    ['APP_KEY', `base64:${random}=`, true],
    ['apiKey', random, true],
    ['TENANT_KEY', '3f2504e0-4f89-41d3-9a0c-0305e82c3301', true],
    ['SITE_SECRET_KEY', random, true],
    // Names, not keys.
    ['STORAGE_KEY', 'user_profile_2024_v1', false],
    ['CACHE_KEY', 'myAppStorageKeyVersion2', false],
    ['PRIMARY_KEY', 'id', false],
    // Meant for browsers.
    ['STRIPE_KEY', `pk_live_${random}`, false],
    ['POSTHOG_API_KEY', `phc_${random}`, false],
    ['STRIPE_PUBLISHABLE_KEY', random, false],
    ['VAPID_PUBLIC_KEY', random, false],
    ['RECAPTCHA_SITE_KEY', random, false],
    ['SUPABASE_ANON_KEY', random, false],
    ['GOOGLE_MAPS_API_KEY', random, false],
    ['FIREBASE_API_KEY', random, false],
    ['ALGOLIA_SEARCH_API_KEY', random, false],
    ['AG_GRID_LICENSE_KEY', random, false],
  ])('a key counts if it looks random and is not meant for browsers: %s=%s: %s', (name, value, counts) => {
    expect(found({ [name]: value })).toHaveLength(counts ? 1 : 0)
  })

  it.each<[value: string, passwords: string[]]>([
    ['postgres://app:s3cr3tpassw0rd@db:5432/app', ['s3cr3tpassw0rd']],
    ['mysql+pymysql://app:p%40ssw0rd1@db/app?charset=utf8', ['p%40ssw0rd1', 'p@ssw0rd1']],
    ['mongodb://app:s3cr3tpassw0rd@h1:27017,h2:27017/app?x=a@b', ['s3cr3tpassw0rd']],
    ['redis://:s3cr3tpassw0rd@cache', ['s3cr3tpassw0rd']],
    ['amqp://app:100%secret@mq', ['100%secret']],
    ['jdbc:postgresql://db/app?user=app&password=s3cr3tpassw0rd', ['s3cr3tpassw0rd']],
    ['Server=db;User Id=app;Password=s3cr3tpassw0rd;', ['s3cr3tpassw0rd']],
    ['host=db password=s3cr3tpassw0rd dbname=app', ['s3cr3tpassw0rd']],
    ['postgres://postgres:postgres@localhost/app', []],
    ['postgres://localhost/app', []],
    ['https://d8f14b7e9a2c@o1.ingest.sentry.io/1', []],
    ['https://example.com/a:b@c', []],
  ])('the password in DATABASE_URL=%s: %j', (value, passwords) => {
    const secrets = passwords.map((password) => ({ name: 'DATABASE_URL', value: password, isPassword: true }))
    expect(found({ DATABASE_URL: value })).toEqual(secrets)
    expect(found({ VITE_DATABASE_URL: value })).toEqual([])
  })

  it('exclude values that a variable with a public name has too', () => {
    expect(found({ PUSHER_APP_KEY: random, VITE_PUSHER_APP_KEY: random, PUSHER_APP_SECRET: long })).toEqual([
      { name: 'PUSHER_APP_SECRET', value: long },
    ])
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

describe('a .env file in the style of', () => {
  const r = (n: number) => `${n}Zk3v9QxT7mWb2LpR8sYd${n}`
  it.each<[project: string, env: string, sought: string[]]>([
    [
      'Laravel',
      `APP_NAME=Laravel\nAPP_ENV=production\nAPP_KEY=base64:${r(1)}=\nAPP_URL=https://example.com\nBCRYPT_ROUNDS=12\nDB_CONNECTION=mysql\n` +
        `DB_PASSWORD=${r(2)}\nSESSION_DRIVER=database\nREDIS_PASSWORD=null\nMAIL_PASSWORD=${r(3)}\nPUSHER_APP_KEY=${r(4)}\n` +
        `PUSHER_APP_SECRET=${r(5)}\nVITE_PUSHER_APP_KEY="\${PUSHER_APP_KEY}"\nVITE_APP_NAME="\${APP_NAME}"`,
      ['APP_KEY', 'DB_PASSWORD', 'MAIL_PASSWORD', 'PUSHER_APP_SECRET'],
    ],
    [
      'Django',
      `DJANGO_SETTINGS_MODULE=config.settings\nDJANGO_SECRET_KEY='django-insecure-${r(1)}'\nDATABASE_URL=postgres://app:${r(2)}@db/app\n` +
        'DJANGO_ALLOWED_HOSTS=example.com\nEMAIL_HOST_PASSWORD=\nCSRF_COOKIE_NAME=csrftoken\nPASSWORD_HASHER=argon2id\nPASSWORD_RESET_TIMEOUT=259200',
      ['DJANGO_SECRET_KEY', 'DATABASE_URL'],
    ],
    [
      'Django on a laptop',
      'SECRET_KEY=development\nDEBUG=1\nDATABASE_URL=sqlite:///db.sqlite3\nCSRF_TOKEN_FIELD=csrfmiddlewaretoken',
      [],
    ],
    [
      'Rails',
      `RAILS_ENV=production\nSECRET_KEY_BASE=${r(1)}\nRAILS_MASTER_KEY=9f86d081884c7d659a2feaa0c55ad015\nREDIS_URL=redis://:${r(2)}@redis:6379/1\n` +
        'RAILS_LOG_TO_STDOUT=enabled',
      ['SECRET_KEY_BASE', 'RAILS_MASTER_KEY', 'REDIS_URL'],
    ],
    [
      'Next.js with NextAuth',
      `NEXTAUTH_URL=https://example.com\nNEXTAUTH_SECRET=${r(1)}\nGITHUB_ID=Iv1.8a61f9b3a7aba766\nGITHUB_SECRET=${r(2)}\nNEXT_PUBLIC_POSTHOG_KEY=phc_${r(3)}`,
      ['NEXTAUTH_SECRET', 'GITHUB_SECRET'],
    ],
    [
      'Supabase',
      `SUPABASE_URL=https://x.supabase.co\nSUPABASE_ANON_KEY=eyJ${r(1)}\nSUPABASE_SERVICE_ROLE_KEY=eyJ${r(2)}\nSUPABASE_PUBLISHABLE_KEY=sb_publishable_${r(3)}\n` +
        `JWT_EXPIRY=3600\nPOSTGRES_PASSWORD=${r(4)}`,
      ['SUPABASE_SERVICE_ROLE_KEY', 'POSTGRES_PASSWORD'],
    ],
    [
      'Strapi',
      `HOST=0.0.0.0\nAPP_KEYS=${r(1)},${r(2)}\nAPI_TOKEN_SALT=${r(3)}\nADMIN_JWT_SECRET=${r(4)}\nJWT_SECRET=tobemodified\nDATABASE_CLIENT=sqlite`,
      ['APP_KEYS', 'API_TOKEN_SALT', 'ADMIN_JWT_SECRET'],
    ],
    [
      'a shop with Stripe',
      `STRIPE_API_KEY=sk_live_${r(1)}\nSTRIPE_PUBLISHABLE_KEY=pk_live_${r(2)}\nSTRIPE_KEY=pk_live_${r(3)}\nSTRIPE_WEBHOOK_SECRET=whsec_${r(4)}\nSTRIPE_API_VERSION=2024-06-20`,
      ['STRIPE_API_KEY', 'STRIPE_WEBHOOK_SECRET'],
    ],
    [
      'an application with language models',
      `OPENAI_API_KEY=sk-proj-${r(1)}\nOPENAI_MODEL=gpt-4o-mini\nMAX_TOKENS=1000000\nTOKENIZER=cl100k_base\nANTHROPIC_API_KEY=sk-ant-${r(2)}\n` +
        'TOKEN_LIMIT=128000\nEMBEDDING_MODEL=text-embedding-3-small',
      ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY'],
    ],
    [
      'CI',
      `GH_PAT=ghp_${r(1)}\nNPM_TOKEN=npm_${r(2)}\nSENTRY_AUTH_TOKEN=sntrys_${r(3)}\nSENTRY_DSN=https://d8f14b7e@o1.ingest.sentry.io/1\nCODECOV_TOKEN=3f2504e0-4f89-41d3-9a0c-0305e82c3301`,
      ['GH_PAT', 'NPM_TOKEN', 'SENTRY_AUTH_TOKEN', 'CODECOV_TOKEN'],
    ],
    [
      'Firebase',
      `FIREBASE_API_KEY=AIzaSy${r(1)}\nFIREBASE_PROJECT_ID=my-app\nFIREBASE_PRIVATE_KEY="-----BEGIN PRIVATE KEY-----\\nMIIE${r(2)}${r(3)}\\n-----END PRIVATE KEY-----"\n` +
        'FIREBASE_CLIENT_EMAIL=a@my-app.iam.gserviceaccount.com\nGOOGLE_APPLICATION_CREDENTIALS=./service-account.json',
      ['FIREBASE_PRIVATE_KEY'],
    ],
    [
      'maps and search',
      `GOOGLE_MAPS_API_KEY=AIzaSy${r(1)}\nMAPBOX_ACCESS_TOKEN=pk.eyJ${r(2)}\nALGOLIA_APP_ID=LATENCY1\nALGOLIA_SEARCH_KEY=${r(3)}\nALGOLIA_ADMIN_API_KEY=${r(4)}\nRECAPTCHA_SITE_KEY=6Lc${r(5)}`,
      ['ALGOLIA_ADMIN_API_KEY'],
    ],
    [
      'AWS and django-storages',
      `AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPL1\nAWS_SECRET_ACCESS_KEY=${r(1)}\nAWS_STORAGE_BUCKET_NAME=my-bucket\nAWS_WEB_IDENTITY_TOKEN_FILE=/var/run/token\nAWS_S3_FILE_OVERWRITE=true`,
      ['AWS_SECRET_ACCESS_KEY'],
    ],
    [
      'Symfony',
      `APP_ENV=prod\nAPP_SECRET=\nDATABASE_URL="mysql://app:!ChangeMe!@127.0.0.1:3306/app?serverVersion=8.0.32"\nMAILER_DSN=smtp://user:${r(1)}@smtp.example.com\nMERCURE_JWT_SECRET="!ChangeThisMercureHubJWTSecretKey!"`,
      ['MAILER_DSN'],
    ],
    [
      'Docker Compose for databases',
      `POSTGRES_USER=app\nPOSTGRES_PASSWORD=postgres\nPGPASSWORD=${r(1)}\nMYSQL_ROOT_PASSWORD_FILE=/run/secrets/mysql\nMINIO_ROOT_PASSWORD=minioadmin\nDB_PASS=${r(2)}`,
      ['PGPASSWORD', 'DB_PASS'],
    ],
    [
      'WordPress (Bedrock)',
      `DB_NAME=wp\nDB_PASSWORD=${r(1)}\nWP_HOME=https://example.com\nAUTH_KEY='generateme'\nNONCE_SALT='generateme'\nAUTH_SALT='${r(2)}'\nSECURE_AUTH_KEY='${r(3)}'`,
      ['DB_PASSWORD', 'AUTH_SALT', 'SECURE_AUTH_KEY'],
    ],
    [
      'Express with JWT',
      `PORT=3000\nJWT_SECRET=${r(1)}\nJWT_SECRET_ALGORITHM=HS256\nACCESS_TOKEN_LIFETIME=15m\nREFRESH_TOKEN_COOKIE=refresh-token\nTOKEN_TYPE=Bearer\nSESSION_SECRET=keyboard cat\nENCRYPTION_KEY=${r(2)}`,
      ['JWT_SECRET', 'ENCRYPTION_KEY'],
    ],
    [
      'Create React App',
      `REACT_APP_API_URL=https://api.example.com\nREACT_APP_GOOGLE_KEY=${r(1)}\nREACT_APP_TOKEN=${r(2)}\nGENERATE_SOURCEMAP=false\nSSL_KEY_FILE=certs/dev.key`,
      [],
    ],
    [
      'Nuxt and SvelteKit',
      `NUXT_PUBLIC_API_BASE=/api\nNUXT_SESSION_PASSWORD=${r(1)}\nNUXT_OAUTH_GITHUB_CLIENT_SECRET=${r(2)}\nPUBLIC_TURNSTILE_KEY=${r(3)}\nPRIVATE_KEY_PATH=./keys/private.pem`,
      ['NUXT_SESSION_PASSWORD', 'NUXT_OAUTH_GITHUB_CLIENT_SECRET'],
    ],
    [
      'a template that nobody filled in',
      'API_KEY=your-api-key\nSECRET_KEY=change-me-in-production\nSTRIPE_SECRET_KEY=sk_test_...\nGITHUB_TOKEN=<github token>\nDB_PASSWORD=password\n' +
        'JWT_SECRET=replace-with-a-long-random-string\nSLACK_TOKEN=xoxb-xxxxxxxxxxxx\nSENDGRID_API_KEY=SG.xxxxxxxxxxxxxxxxxxxxxx',
      [],
    ],
  ])('%s', async (_project, env, sought) => {
    const environment = await read({ '.env': env })
    expect(
      secretVariables(environment, [])
        .map(({ name }) => name)
        .sort(),
    ).toEqual(sought.toSorted())
  })
})

it.each<[id: string, isName: boolean]>([
  ['frontend', true],
  ['minioadmin', true],
  ['static-deploy', true],
  ['my-company-frontend-deployer', true],
  ['UploadUser', true],
  ['app_frontend_2', true],
  ['ci.uploader01', true],
  ['AKIAIOSFODNN7EXAMPLE', false],
  ['AKIAIOSFODNNABCDEFGH', false],
  ['ASIAIOSFODNNABCDE234', false],
  ['0555B35654AD1656D804', false],
  ['DO00ABCDEFGHIJKLMNOP', false],
  ['GOOG1EABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVW', false],
  ['d41d8cd98f00b204e9800998ecf8427e', false],
  ['zKvQxTmWbLpRsYdHj', false],
])('the access key id %s is the name of a user: %s', (id, isName) => {
  const secrets = [
    { name: 'the secret access key in use', value: 'secret' },
    { name: 'the access key id in use', value: id },
    { name: 'the session token in use', value: '' },
  ]
  expect(secretParts({ accessKeyId: id, secretAccessKey: 'secret' })).toEqual(
    isName ? secrets.filter(({ value }) => value !== id) : secrets,
  )
})

import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect } from 'vitest'
import { render, testBackEnd } from '../../fixtures/back-ends/back-ends.js'
import { recipe } from '../../fixtures/back-ends/recipe.js'
import { expectTagsAnswer } from '../../fixtures/back-ends/tags.js'
import { makeFolder, removeFolders } from '../../fixtures/build/folders.js'
import { buildVite } from '../../fixtures/build/index.js'
import { siteBucket } from '../../fixtures/frameworks/expectations.js'

// The settings of docs/back-ends.md, with nothing but the manifest on Django's disk.

const template = `{% load django_vite %}{% vite_asset 'src/main.ts' %}<img src="{% vite_asset_url 'src/photo.png' %}">`

describe('django-vite', () => {
  const djangoVite = recipe('Django (django-vite)')
  const site = siteBucket(djangoVite.variables().AWS_LOCATION)
  afterAll(removeFolders)

  testBackEnd('django', 'every URL in its tags is in the bucket, with django-storages and without', async () => {
    // Pages of the test's server have no TLS.
    const env = { ...site.env, ...djangoVite.variables(site), AWS_S3_URL_PROTOCOL: 'http:' }
    const build = await buildVite('vanilla', {
      env,
      files: {
        'vite.config.ts': djangoVite
          .code('ts')
          .replace("input: 'src/main.ts'", "input: ['src/main.ts', 'src/other.ts']"),
        'src/main.ts': `import './shared'; import './main.css'; import photo from './photo.png'; document.title = photo`,
        'src/other.ts': `import './shared'`,
        'src/shared.ts': `import './shared.css'; document.body.append('shared')`,
        'src/main.css': 'body { color: navy }',
        'src/shared.css': 'body { margin: 0 }',
        // Larger than Vite's limit for pictures in scripts.
        'src/photo.png': Buffer.alloc(5000, 1),
      },
    })
    expect(build.code, build.output).toBe(0)
    const folder = await makeFolder({})
    const manifest = join(folder, 'frontend/dist/manifest.json')
    await mkdir(dirname(manifest), { recursive: true })
    await copyFile(join(build.outDir, 'manifest.json'), manifest)

    const settings = djangoVite.code('python')
    const byStorages = await render(
      'django_page.py',
      [folder, `${settings}AWS_S3_URL_PROTOCOL = "http:"`, template],
      env,
    )
    expect(await expectTagsAnswer(byStorages, site.publicUrl)).toEqual(
      ['shared-*.css', 'main-*.css', 'main-*.js', 'shared-*.js', 'photo-*.png'].map((name) =>
        expect.stringMatching(new RegExp(`^assets/${name.replace('*', '[\\w-]+')}$`)),
      ),
    )
    const withoutStorages = `${settings.replace(/STORAGES = \{[\s\S]*?^\}/m, '')}STATIC_URL = "${site.publicUrl}"`
    expect(await render('django_page.py', [folder, withoutStorages, template], env)).toBe(byStorages)
  })
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { optionNames } from '../../src/settings/options.js'

// Settings, examples, paths and links in the README and in docs/ fit the sources.

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const readme = read('README.md')
const options = read('src/settings/options.ts')

/** Every page with its path, except the one that the bench writes. */
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...docs()].map((file) => ({ file, text: read(file) }))

function docs(): string[] {
  const names = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  const paths = names.map((name) => `docs/${name.replaceAll('\\', '/')}`)
  return paths.filter((path) => path.endsWith('.md') && path !== 'docs/performance.md')
}

/** The first two cells of each row of the settings' table. */
const rows = readme
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.split('|').length === 5)
  .map((line) => line.split('|').map((cell) => cell.trim()))

const variables = (text: string) => new Set(text.match(/\b(USE_S3|AWS_[A-Z0-9_]+|STATIC_S3_[A-Z0-9_]+)\b/g))

describe('the table of settings', () => {
  test.each(optionNames)('has `%s`', (name) => {
    expect(rows.some(([, option]) => new RegExp(`\`${name}\\b`).test(option as string))).toBe(true)
  })

  test('has every variable that the options name, and the options every one that it has', () => {
    const documented = variables([...options.matchAll(/@env.*/g)].join('\n'))
    expect(documented.size).toBeGreaterThan(10)
    const listed = variables(
      rows
        .filter(([, option]) => option?.startsWith('`'))
        .map(([, , variable]) => variable)
        .join('\n'),
    )
    expect(listed).toEqual(documented)
  })
})

describe('the pages in docs/', () => {
  test('the README links to each', () => {
    const missing = docs().filter((file) => !readme.includes(`](${file})`))
    expect(missing).toEqual([])
  })

  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  // Read by Laravel; by the AWS SDK for Python; by the AWS SDK's credential chain.
  const foreign = ['AWS_BUCKET', 'AWS_CA_BUNDLE', 'AWS_ROLE_ARN', 'ASSET_URL']

  test('name only variables that the sources read', () => {
    const sources = files.map((file) => read(join('src', file)))
    // Those of django-storages have a table, and a test of its own.
    const django = variables(read('docs/from-django.md').split('## The settings')[1] ?? '')
    const known = new Set([...variables(sources.join('\n')), ...variables(readme), ...foreign, ...django])
    const named = pages.flatMap(({ text }) => [...variables(text)])
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })

  const inBlocks = pages.flatMap(({ file, text }) =>
    [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].map(([, code = '']) => ({ file, code })),
  )

  test('set only variables that static-s3 or the tool in the same block reads', () => {
    const assigned = inBlocks.flatMap(({ file, code }) =>
      [...code.matchAll(/^ *(?:# )?(?:export )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name = '']) => ({ file, name })),
    )
    expect(assigned.filter(({ file }) => file.startsWith('docs/stores/')).length).toBeGreaterThan(20)
    const known = variables(files.map((path) => read(join('src', path))).join('\n'))
    expect(assigned.filter(({ name }) => !known.has(name) && !foreign.includes(name))).toEqual([])
  })

  test('of stores say what was tried and what was only read, with sources', () => {
    for (const { file, text } of pages.filter(({ file }) => file.startsWith('docs/stores/'))) {
      expect(text.split('## Tried and read')[1]?.trim(), file).toMatch(/\w/)
      expect(text.match(/\]\(https:/g)?.length ?? 0, file).toBeGreaterThan(0)
      expect(text.split('\n').length, file).toBeLessThanOrEqual(60)
    }
  })

  test('caching.md names every header that a rule can set', () => {
    const rule = /export interface Rule \{([\s\S]*?)^\}/m.exec(options)?.[1] ?? ''
    const settable = [...rule.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name).filter((name) => name !== 'match')
    expect(settable.length).toBeGreaterThan(5)
    const listed = /A rule can set ([\s\S]*?)\. /.exec(read('docs/caching.md'))?.[1] ?? ''
    expect([...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()).toEqual(settable.sort())
  })
})

describe.each(pages)('$file', ({ file, text }) => {
  test('its links lead to pages and headings that exist', () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target) && !leadsSomewhere(file, target))
    expect(broken).toEqual([])
  })

  test('its paths of tests and scripts exist', () => {
    const paths = text.match(/\b(test|scripts)\/[\w/-]+\.(test\.ts|sh)\b/g) ?? []
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })
})

function leadsSomewhere(from: string, target: string): boolean {
  const [path = '', heading] = target.split('#')
  const file = path === '' ? from : relative(root, join(root, dirname(from), path))
  if (!existsSync(join(root, file))) return false
  return heading === undefined || headingsOf(read(file)).includes(heading)
}

/** As GitHub makes them. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
}

describe('the examples', () => {
  const blocks = pages.flatMap(({ file, text }) =>
    [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, code = '']) => ({ file, language, code })),
  )

  test.each(blocks.filter(({ language }) => language === 'json'))('$file, $language: $code', ({ code }) => {
    expect(() => JSON.parse(code)).not.toThrow()
  })

  const quoted = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ file, code }) => [...code.matchAll(/'(\{[^']*\})'/g)].map(([, json = '']) => ({ file, json })))

  test.each(quoted)('$file, JSON in a shell command: $json', ({ json }) => {
    expect(() => JSON.parse(json)).not.toThrow()
  })

  test('TypeScript and JavaScript compile, with the types that the package has', () => {
    const code = blocks.filter(({ language }) => language === 'ts' || language === 'js')
    expect(code.length).toBeGreaterThan(5)
    const declared = `import { staticS3 } from './src/vite.js'\ndeclare const image: HTMLImageElement\n`
    const files = new Map(
      code.map((block, index) => {
        const own = /^import/m.test(block.code)
        const text = own ? block.code : declared + block.code
        const file = join(root, `example-${index}.ts`)
        return [file, text.replaceAll(/'static-s3\/(\w+)'/g, "'./src/$1.js'")]
      }),
    )
    // Frameworks are installed for their own tests only.
    const frameworks = [
      '@builder.io/qwik/optimizer',
      '@builder.io/qwik-city/vite',
      '@react-router/dev/vite',
      '@rsbuild/core',
      '@sveltejs/adapter-node',
      '@sveltejs/kit/vite',
      'astro/config',
      'vitepress',
    ]
    const declarations = frameworks.map((name) => `declare module '${name}'`)
    // Nuxt's configuration has it without an import.
    declarations.push('declare function defineNuxtConfig(config: object): object')
    files.set(join(root, 'frameworks.d.ts'), declarations.join('\n'))
    const compilerOptions: ts.CompilerOptions = {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: ['node', 'vite/client'],
    }
    const host = ts.createCompilerHost(compilerOptions)
    const { readFile, fileExists, getSourceFile } = host
    host.fileExists = (file) => files.has(file) || fileExists.call(host, file)
    host.readFile = (file) => files.get(file) ?? readFile.call(host, file)
    host.getSourceFile = (file, ...rest) => {
      const text = files.get(file)
      return text === undefined ? getSourceFile.call(host, file, ...rest) : ts.createSourceFile(file, text, rest[0])
    }
    const program = ts.createProgram([...files.keys(), join(root, 'src/client.ts')], compilerOptions, host)
    const problems = [...files.keys()].flatMap((file) => {
      const source = program.getSourceFile(file) as ts.SourceFile
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    })
    expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([])
  })
})

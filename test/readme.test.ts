import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { optionNames } from '../src/core/options.js'

// The README's settings and examples are those of the sources.

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const options = readFileSync(join(root, 'src/core/options.ts'), 'utf8')

/** The first two cells of each row of the settings' table. */
const rows = readme
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.split('|').length === 5)
  .map((line) => line.split('|').map((cell) => cell.trim()))

describe('the table of settings', () => {
  test.each(optionNames)('has `%s`', (name) => {
    expect(rows.some(([, option]) => new RegExp(`\`${name}\\b`).test(option as string))).toBe(true)
  })

  test('has every variable that the options name, and the options every one that it has', () => {
    const variables = (text: string) => new Set(text.match(/\b(USE_S3|AWS_[A-Z0-9_]+)\b/g))
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

describe('the examples', () => {
  const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].map(([, language, code]) => ({ language, code }))

  test.each(blocks.filter(({ language }) => language === 'json'))('$language: $code', ({ code }) => {
    expect(() => JSON.parse(code as string)).not.toThrow()
  })

  test('TypeScript and JavaScript compile, with the types that the package has', () => {
    const code = blocks.filter(({ language }) => language === 'ts' || language === 'js')
    expect(code.length).toBeGreaterThan(3)
    const declared = `import { staticS3 } from './src/vite.js'\ndeclare const image: HTMLImageElement\n`
    const files = new Map(
      code.map((block, index) => {
        const own = /^import/m.test(block.code as string)
        const text = own ? (block.code as string) : declared + block.code
        const file = join(root, `example-${index}.ts`)
        return [
          file,
          text.replace("'static-s3/vite'", "'./src/vite.js'").replace("'static-s3/webpack'", "'./src/webpack.js'"),
        ]
      }),
    )
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

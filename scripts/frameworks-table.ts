import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

// Writes the results of `npm run test:frameworks` into the table of docs/frameworks.md: one row for each app.

interface Results {
  testResults: { assertionResults: { ancestorTitles: string[]; status: string }[] }[]
}

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs/frameworks.md')
const begin = '<!-- results: npm run test:frameworks writes them -->'
const end = '<!-- end of results -->'

const { testResults }: Results = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
const statuses = new Map<string, string[]>()
for (const { ancestorTitles, status } of testResults.flatMap(({ assertionResults }) => assertionResults)) {
  const [app = ''] = ancestorTitles
  statuses.set(app, [...(statuses.get(app) ?? []), status])
}

const text = readFileSync(page, 'utf8')
const [before = '', rest = ''] = text.split(begin)
const [table = '', after = ''] = rest.split(end)
const rows = new Map(
  table.split('\n').flatMap((row) => (/^\| [a-z]/.test(row) ? [[row.split(' ')[1] ?? '', row]] : [])),
)
for (const [app, found] of statuses) {
  if (found.includes('passed') || found.includes('failed')) rows.set(app, rowOf(app, found))
}
const sorted = [...rows].filter(([app]) => existsSync(join(root, 'fixtures/frameworks', app))).sort()
const head = '| app | versions | Node | tests |\n|---|---|---|---|'
const lines = [begin, head, ...sorted.map(([, row]) => row), end]
writeFileSync(page, `${before}${lines.join('\n')}${after}`)

function rowOf(app: string, found: readonly string[]): string {
  const folder = join(root, '.cache/frameworks', app)
  const {
    devDependencies = {},
    dependencies = devDependencies,
    engines,
  } = readPackage(join(root, 'fixtures/frameworks', app))
  const versions = Object.keys(dependencies).map((name) => {
    return `${name} ${readPackage(join(folder, 'node_modules', name)).version}`
  })
  const failed = found.filter((status) => status === 'failed').length
  const verdict = failed === 0 ? `${found.length} passed` : `**${failed} of ${found.length} failed**`
  return `| ${app} | ${versions.join(', ')} | ${engines?.node ?? '22'} | ${verdict} |`
}

function readPackage(folder: string): {
  version?: string
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  engines?: { node?: string }
} {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

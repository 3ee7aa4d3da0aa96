// Counts the files that change when one module of a large app does: npx tsx bench/changed-names.ts
//
// The app has 300 chunks in four layers, as the routes, features, shared components and tools of a real one. Each module of a layer is a chunk,
// and imports three modules of the next layer; each route has a stylesheet. One module of each layer changes in turn.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'vite'
import type { staticS3 as StaticS3 } from '../src/vite.js'

const { staticS3 } = (await import(String(new URL('../dist/vite.js', import.meta.url)))) as {
  staticS3: typeof StaticS3
}

const layers = [
  { name: 'route', count: 120 },
  { name: 'feature', count: 90 },
  { name: 'component', count: 60 },
  { name: 'tool', count: 30 },
]
const importsPerModule = 3

function sourceOf(layer: number, index: number, change: string): string {
  const next = layers[layer + 1]
  const imported = next
    ? Array.from({ length: importsPerModule }, (_, i) => (index * importsPerModule + i * 7) % next.count)
    : []
  const { name } = layers[layer] as { name: string }
  return [
    ...(layer === 0 ? [`import './${name}${index}.css'`] : []),
    ...imported.map((at, i) => `import { value as value${i} } from './${next?.name}${at}.js'`),
    `export const value = ['${name} ${index}${change}', ${imported.map((_, i) => `value${i}`).join(', ')}]`,
    'console.log(value)',
  ].join('\n')
}

/** @param changed the module that has changed: its layer and its number */
async function writeApp(dir: string, changed?: [layer: number, index: number]): Promise<void> {
  await mkdir(join(dir, 'src'), { recursive: true })
  const write = (name: string, text: string) => writeFile(join(dir, name), text)
  const routes = Array.from({ length: layers[0]?.count ?? 0 }, (_, i) => `  () => import('./route${i}.js'),`)
  await write('index.html', '<!doctype html><script type="module" src="/src/main.js"></script>')
  await write('src/main.js', `const routes = [\n${routes.join('\n')}\n]\nroutes[Number(location.hash.slice(1))]?.()\n`)
  for (const [layer, { name, count }] of layers.entries()) {
    for (let index = 0; index < count; index++) {
      const isChanged = changed?.[0] === layer && changed[1] === index
      await write(`src/${name}${index}.js`, sourceOf(layer, index, isChanged ? ' changed' : ''))
      if (layer === 0) await write(`src/${name}${index}.css`, `.${name}${index} { color: red }`)
    }
  }
}

interface Variant {
  rewrite: 'urls' | 'relative'
  chunkImportMap: boolean
}

/** The built files, by path. */
async function buildApp(root: string, { rewrite, chunkImportMap }: Variant, customDomain = 'staging.example.com') {
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    plugins: [
      staticS3({ enabled: true, upload: false, bucket: 'a-bucket', region: 'eu-central-1', customDomain, rewrite }),
    ],
    build: {
      chunkImportMap,
      rolldownOptions: {
        output: {
          // A chunk for each shared module, as in an app whose modules are large.
          codeSplitting: {
            includeDependenciesRecursively: false,
            groups: [{ name: (id) => /\/src\/((?:feature|component|tool)\d+)\.js$/.exec(id)?.[1] ?? null }],
          },
        },
      },
    },
  })
  const dist = join(root, 'dist')
  const entries = await readdir(dist, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files = await Promise.all(
    paths.map(async (path) => [path.slice(dist.length + 1), await readFile(path, 'latin1')] as const),
  )
  return new Map(files.filter(([path]) => path !== '.static-s3.json'))
}

function countChanges(before: Map<string, string>, after: Map<string, string>): number {
  return [...after].filter(([path, text]) => before.get(path) !== text).length
}

const cache = new URL('../.cache/', import.meta.url).pathname
await mkdir(cache, { recursive: true })
const dir = await mkdtemp(join(cache, 'changed-names-'))
try {
  const variants: Record<string, Variant> = {
    "rewrite: 'urls'": { rewrite: 'urls', chunkImportMap: false },
    "rewrite: 'relative'": { rewrite: 'relative', chunkImportMap: false },
    "rewrite: 'urls', chunkImportMap": { rewrite: 'urls', chunkImportMap: true },
    "rewrite: 'relative', chunkImportMap": { rewrite: 'relative', chunkImportMap: true },
  }
  for (const [name, variant] of Object.entries(variants)) {
    await writeApp(dir)
    const before = await buildApp(dir, variant)
    const scripts = [...before.keys()].filter((path) => path.endsWith('.js')).length
    const counts: string[] = []
    for (const [layer, each] of layers.entries()) {
      await writeApp(dir, [layer, 7])
      counts.push(`${each.name} ${countChanges(before, await buildApp(dir, variant))}`)
    }
    await writeApp(dir)
    counts.push(`domain ${countChanges(before, await buildApp(dir, variant, 'www.example.com'))}`)
    console.log(`${name}: ${before.size} files, ${scripts} scripts. Changed files by change: ${counts.join(', ')}`)
  }
} finally {
  await rm(dir, { recursive: true, force: true })
}

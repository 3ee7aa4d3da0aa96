import { cpSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { bucket, environment, location } from './environment.js'
import { figuresIn, measure } from './measure.js'
import { cacheFolder, packageFolder } from './paths.js'
import { type Phase, phases, type ViteBuild } from './results.js'
import type { BenchServer } from './server/start.js'
import { ourSettings } from './tools/ours.js'
import type { Folder, Folders } from './work/folder.js'
import type { Work } from './work/works.js'

/*
 * Builds the same application with and without the plugin, in pairs. The application consists of a work's files: it imports the fingerprinted ones
 * by URL, so that Vite names them, and has the others in `public/`.
 */

interface Input {
  server: BenchServer
  work: Work
  folders: Folders
  latency: number
  rounds: number
  timeout: number
  say(message: string): void
}

const root = join(cacheFolder, 'vite')

interface Built {
  milliseconds: number
  cpuSeconds: number
  /** Milliseconds from the written bundle to the end of the process. */
  sinceWritten: number
}

export async function runViteBuilds(input: Input): Promise<ViteBuild[]> {
  const { server, work, folders, latency, rounds, say } = input
  installPlugin()
  writeApp(appOf(work, 'first'), folders.first)
  writeApp(appOf(work, 'changed'), folders.changed)
  await server.setLatency(latency)
  const results = phases.map(
    (phase): ViteBuild => ({
      ...{ work: work.name, latency, phase, without: [], with: [], cpuWithout: [], cpuWith: [] },
      ...{ sinceWrittenWithout: [], sinceWrittenWith: [] },
    }),
  )
  await build(input, 'first', false)
  for (let round = 0; round < rounds; round++) {
    for (const result of results) {
      for (const withPlugin of round % 2 === 0 ? [false, true] : [true, false]) {
        if (withPlugin) await (result.phase === 'first' ? server.reset() : server.restore('vite build'))
        record(result, withPlugin, await build(input, result.phase, withPlugin))
        if (withPlugin && result.phase === 'first') await server.save('vite build')
      }
      const [without, withIt] = [result.without.at(-1), result.with.at(-1)] as [number, number]
      const title = `vite build, ${work.title}, ${latency} ms, round ${round + 1}, ${result.phase}`
      say(`${title}: ${Math.round(withIt - without)} ms more`)
    }
  }
  return results
}

function record(result: ViteBuild, withPlugin: boolean, { milliseconds, cpuSeconds, sinceWritten }: Built): void {
  result[withPlugin ? 'with' : 'without'].push(milliseconds)
  result[withPlugin ? 'cpuWith' : 'cpuWithout'].push(cpuSeconds)
  result[withPlugin ? 'sinceWrittenWith' : 'sinceWrittenWithout'].push(sinceWritten)
}

function appOf({ name }: Work, phase: Phase): string {
  return join(root, name, phase === 'changed' ? 'changed' : 'first')
}

async function build({ server, work, timeout }: Input, phase: Phase, withPlugin: boolean): Promise<Built> {
  const app = appOf(work, phase)
  const settings = withPlugin ? ourSettings({ endpoint: server.endpoints.https, bucket, location }) : {}
  const env = { ...environment(root, server.certificate), ...settings }
  const config = join(app, withPlugin ? 'with-plugin.mjs' : 'without.mjs')
  const argv = [process.execPath, viteCommand(), 'build', '--config', config, '--logLevel', 'warn']
  // Vite would take a long and random time to empty it.
  rmSync(join(app, 'dist'), { recursive: true, force: true })
  const { exitCode, output, milliseconds, cpuSeconds } = await measure({ argv, cwd: app, env }, timeout)
  if (exitCode !== 0) throw new Error(`vite build failed: ${output}`)
  return { milliseconds, cpuSeconds, sinceWritten: milliseconds - figuresIn<number>(output) }
}

function viteCommand(): string {
  const require = createRequire(import.meta.url)
  return join(dirname(require.resolve('vite/package.json')), 'bin/vite.js')
}

/** Copies the built package into `node_modules`: elsewhere Vite would bundle it into the configuration. */
function installPlugin(): void {
  const installed = join(root, 'node_modules/measured-plugin')
  rmSync(installed, { recursive: true, force: true })
  cpSync(packageFolder, installed, { recursive: true })
  writeFileSync(join(installed, 'package.json'), '{ "type": "module", "exports": "./vite.js" }\n')
}

function writeApp(app: string, folder: Folder): void {
  rmSync(app, { recursive: true, force: true })
  for (const each of ['src/assets', 'public']) mkdirSync(join(app, each), { recursive: true })
  for (const { path, fingerprinted } of folder.files) {
    const file = join(folder.dir, path)
    if (path === 'index.html') continue
    if (fingerprinted) linkSync(file, join(app, 'src/assets', basename(path)))
    else cpSync(file, join(app, 'public', path))
  }
  writeFileSync(join(app, 'index.html'), '<!doctype html><script type="module" src="/src/main.js"></script>\n')
  writeFileSync(
    join(app, 'src/main.js'),
    "console.log(import.meta.glob('./assets/*', { query: '?url', import: 'default', eager: true }))\n",
  )
  const config = (plugins: string, imports = '') => `${imports}
    const closeBundle = { order: 'pre', sequential: true, handler: () => console.log('FIGURES ' + performance.now()) }
    const build = { assetsInlineLimit: 0, reportCompressedSize: false }
    export default { plugins: [{ name: 'written', closeBundle }${plugins}], build }\n`
  writeFileSync(join(app, 'without.mjs'), config(''))
  writeFileSync(join(app, 'with-plugin.mjs'), config(', staticS3()', "import { staticS3 } from 'measured-plugin'\n"))
}

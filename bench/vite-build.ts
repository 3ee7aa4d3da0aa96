import { cpSync, linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { bundle } from './bundle.js'
import { bucket, environment, location } from './cell.js'
import { measure } from './measure.js'
import { cacheFolder } from './paths.js'
import { type Phase, phases, type ViteBuild } from './results.js'
import type { BenchServer } from './server/start.js'
import { figuresIn, ourSettings } from './tools/ours.js'
import type { Folder, Folders } from './work/folder.js'
import type { Work } from './work/works.js'

/*
 * What the plugin adds to a whole `vite build`: the same application built with it and without it, in pairs. The application is made of the
 * files of a work: its assets are imported by their URLs, and so named by Vite, and what has no fingerprint there is in `public/`.
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

const appOf = ({ name }: Work, phase: Phase) => join(root, name, phase === 'changed' ? 'changed' : 'first')

interface Built {
  milliseconds: number
  cpuSeconds: number
  /** Of both, what it took until the bundle was written. */
  untilWritten: { milliseconds: number; cpuSeconds: number }
}

export async function runViteBuilds(input: Input): Promise<ViteBuild[]> {
  const { server, work, folders, latency, rounds, timeout, say } = input
  const plugin = await installPlugin()
  writeApp(appOf(work, 'first'), folders.first)
  writeApp(appOf(work, 'changed'), folders.changed)
  await server.setLatency(latency)

  const build = async (phase: Phase, withPlugin: boolean): Promise<Built> => {
    const app = appOf(work, phase)
    const env = { ...environment(root), ...(withPlugin ? ourSettings({ ...server, bucket, location }) : {}) }
    const script = withPlugin ? 'with-plugin.mjs' : 'without.mjs'
    const argv = [process.execPath, viteCommand(), 'build', '--config', join(app, script), '--logLevel', 'warn']
    // Emptying it takes Vite longer than anything else, and never the same time.
    rmSync(join(app, 'dist'), { recursive: true, force: true })
    const { exitCode, output, ...figures } = await measure({ argv, cwd: app, env }, timeout)
    if (exitCode !== 0) throw new Error(`vite build failed: ${output}`)
    return { ...figures, untilWritten: figuresIn<Built['untilWritten']>(output) }
  }

  const results = phases.map(
    (phase): ViteBuild => ({
      ...{ work: work.name, latency, phase, without: [], with: [], cpuWithout: [], cpuWith: [], importing: [] },
      ...{ cpuUntilWrittenWithout: [], cpuUntilWrittenWith: [], sinceWrittenWithout: [], sinceWrittenWith: [] },
    }),
  )
  await build('first', false)
  for (let round = 0; round < rounds; round++) {
    for (const result of results) {
      for (const withPlugin of round % 2 === 0 ? [false, true] : [true, false]) {
        if (withPlugin && result.phase === 'first') await server.reset()
        if (withPlugin && result.phase !== 'first') await server.restore('vite build')
        const { milliseconds, cpuSeconds, untilWritten } = await build(result.phase, withPlugin)
        result[withPlugin ? 'with' : 'without'].push(milliseconds)
        result[withPlugin ? 'cpuWith' : 'cpuWithout'].push(cpuSeconds)
        result[withPlugin ? 'cpuUntilWrittenWith' : 'cpuUntilWrittenWithout'].push(untilWritten.cpuSeconds)
        const sinceWritten = milliseconds - untilWritten.milliseconds
        result[withPlugin ? 'sinceWrittenWith' : 'sinceWrittenWithout'].push(sinceWritten)
        if (withPlugin && result.phase === 'first') await server.save('vite build')
      }
      result.importing.push(await importing(plugin))
      const [without, withIt] = [result.without.at(-1), result.with.at(-1)] as [number, number]
      say(
        `vite build, ${work.title}, ${latency} ms, round ${round + 1}, ${result.phase}: ${Math.round(withIt - without)} ms more`,
      )
    }
  }
  return results
}

/** Vite's command, of the version that the project itself is developed with. */
function viteCommand(): string {
  const require = createRequire(import.meta.url)
  return join(dirname(require.resolve('vite/package.json')), 'bin/vite.js')
}

/** Milliseconds to import the plugin, call it, and have it find that it is off. */
async function importing(plugin: string): Promise<number> {
  const script = `
    const begun = performance.now()
    const { staticS3 } = await import(${JSON.stringify(plugin)})
    staticS3()
    console.log('FIGURES ' + (performance.now() - begun))`
  const argv = [process.execPath, '--input-type=module', '--eval', script]
  return figuresIn<number>((await measure({ argv, cwd: root, env: environment(root) }, 10_000)).output)
}

/** As a package, which Vite doesn't bundle into its configuration. Its real name means this project itself here. */
async function installPlugin(): Promise<string> {
  const installed = join(root, 'node_modules/measured-plugin')
  rmSync(installed, { recursive: true, force: true })
  cpSync(dirname(await bundle('src/vite.ts', 'plugin')), installed, { recursive: true })
  writeFileSync(join(installed, 'package.json'), '{ "type": "module", "exports": "./main.js" }\n')
  return join(installed, 'main.js')
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
    const closeBundle = {
      order: 'pre',
      sequential: true,
      handler() {
        const { user, system } = process.cpuUsage()
        const figures = { milliseconds: performance.now(), cpuSeconds: (user + system) / 1e6 }
        console.log('FIGURES ' + JSON.stringify(figures))
      },
    }
    const build = { assetsInlineLimit: 0, reportCompressedSize: false }
    export default { plugins: [{ name: 'written', closeBundle }${plugins}], build }\n`
  writeFileSync(join(app, 'without.mjs'), config(''))
  writeFileSync(join(app, 'with-plugin.mjs'), config(', staticS3()', "import { staticS3 } from 'measured-plugin'\n"))
}

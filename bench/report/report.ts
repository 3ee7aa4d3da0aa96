import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectFolder } from '../paths.js'
import type { Results } from '../results.js'
import { chart } from './chart.js'
import { cells, cellTable, failures, isOneSession, serverTable, toolTable, viteTable } from './tables.js'
import { targets, targetTable } from './targets.js'

/** All results, as Markdown that is readable in a terminal. */
export function report(results: Results): string {
  const { machine, serverChecks, viteBuilds } = results
  const { processor, cores, memoryBytes, system, node } = machine
  const sections = [
    `Measured on ${cores} cores (${processor}), ${Math.round(memoryBytes / 2 ** 30)} GB of memory, ${system}, Node ${node}.`,
    section('Targets', targetTable(targets(results))),
    section('The tools', toolTable(results)),
    ...cells(results).map(({ title, cell }) => {
      const notes = [...(isOneSession(cell) ? [] : ['- Not all of these ran side by side.']), ...failures(cell)]
      return section(title, [cellTable(cell), ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n'))
    }),
    ...(viteBuilds.length > 0
      ? [section('How much longer the plugin makes a build, over TLS', viteTable(viteBuilds))]
      : []),
    ...(serverChecks.length > 0 ? [section('The server', serverTable(serverChecks))] : []),
  ]
  return sections.join('\n\n')
}

function section(title: string, content: string): string {
  return `### ${title.charAt(0).toUpperCase()}${title.slice(1)}\n\n${content}`
}

const begin = '<!-- `npm run bench -- --write` writes everything from here … -->'
const end = '<!-- … to here. -->'

/** Writes the report between the marks of `docs/performance.md`, and the chart beside it. */
export function writeReport(results: Results): void {
  const folder = join(projectFolder, 'docs')
  const file = join(folder, 'performance.md')
  const document = readFileSync(file, 'utf8')
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file} must contain the lines "${begin}" and "${end}"`)
  writeFileSync(file, `${document.slice(0, from + begin.length)}\n\n${report(results)}\n\n${document.slice(to)}`)
  const picture = chart(results)
  if (picture) writeFileSync(join(folder, 'performance.svg'), picture)
}

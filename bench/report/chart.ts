import { type Phase, phases, type Results } from '../results.js'
import { cellOf, limitName, ourName, rowOf, seconds, timeOf } from './figures.js'

/*
 * Bars of one cell: 3,000 files over TLS at 20 ms. The colours are readable on a light and on a dark page, because an image cannot know its page.
 */

const width = 760
const nameWidth = 190
const barWidth = 440
const barHeight = 16
const step = 24
const ink = '#7d8590'
const colours = { ours: '#2f9e5f', limit: '#7d8590', peer: '#8aa4c8' }
/** A bar is cut off at this many times the length of ours. */
const longest = 8

const titles: Record<Phase, string> = {
  first: 'First deploy of 3,000 files',
  rebuild: 'Clean rebuild, the same bytes',
  changed: '5 of 3,000 files changed',
}

/** Undefined without results of static-s3. */
export function chart(results: Results): string | undefined {
  const cell = cellOf(results, 'many-small', 'https', 20)
  const parts: string[] = []
  let y = 24
  const text = (x: number, content: string, more = '') => `<text x="${x}" y="${y}" ${more}>${escapeXml(content)}</text>`

  for (const phase of phases) {
    const ours = timeOf(cell, ourName, phase)
    if (ours === undefined) return undefined
    const tools = [...new Set(cell.rows.map(({ tool }) => tool))]
    const bars = tools
      .flatMap((tool) => {
        const time = timeOf(cell, tool, phase)
        const { timeoutSeconds } = rowOf(cell, tool, phase) ?? {}
        if (time !== undefined) return [{ tool, time, more: false }]
        return timeoutSeconds === undefined ? [] : [{ tool, time: timeoutSeconds * 1000, more: true }]
      })
      .sort((a, b) => a.time - b.time)
    const scale = barWidth / Math.min(longest * ours, Math.max(...bars.map(({ time }) => time)))
    parts.push(text(0, titles[phase], 'class="title"'))
    y += step
    for (const { tool, time, more } of bars) {
      const kind = tool === ourName ? 'ours' : tool === limitName ? 'limit' : 'peer'
      const isCut = time * scale > barWidth + 0.5
      const length = Math.max(2, Math.min(barWidth, time * scale))
      const top = y - barHeight + 4
      parts.push(text(nameWidth - 10, tool, `text-anchor="end"${kind === 'ours' ? ' class="ours"' : ''}`))
      parts.push(bar(nameWidth, top, length, colours[kind], isCut))
      const label = `${more ? '> ' : ''}${seconds(time)} s`
      parts.push(text(nameWidth + length + (isCut ? 18 : 8), label, kind === 'ours' ? 'class="ours"' : ''))
      y += step
    }
    y += step / 2
  }
  parts.push(
    text(
      0,
      'Medians over TLS, 20 ms per request. limit: the same PUTs by node:https alone. An arrow: too long for this chart.',
      'class="note"',
    ),
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 12}" width="${width}" height="${y + 12}" role="img" aria-label="How long static-s3 and others take">
<style>text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:${ink}}.title{font-size:15px;font-weight:600}.ours{font-weight:700;fill:${colours.ours}}.note{font-size:12px}</style>
${parts.join('\n')}
</svg>
`
}

/** A bar that is cut off ends in a point. */
function bar(x: number, y: number, length: number, colour: string, isCut: boolean): string {
  if (!isCut)
    return `<rect x="${x}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" fill="${colour}"/>`
  const [right, middle, bottom] = [x + length, y + barHeight / 2, y + barHeight]
  return `<path d="M${x} ${y}H${right}l10 ${middle - y}L${right} ${bottom}H${x}z" fill="${colour}"/>`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

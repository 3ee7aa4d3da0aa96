/** A table with aligned columns, readable in a terminal. Text columns come first, numbers after them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], textColumns = 1): string {
  const widths = head.map((title, i) => Math.max(3, ...[title, ...rows.map((row) => row[i] ?? '')].map(widthOf)))
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, i) => pad(cells[i] ?? '', width, i < textColumns)).join(' | ')} |`
  const rule = widths.map((width, i) => (i < textColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

function widthOf(text: string): number {
  return [...text].length
}

function pad(text: string, width: number, left: boolean): string {
  const space = ' '.repeat(width - widthOf(text))
  return left ? text + space : space + text
}

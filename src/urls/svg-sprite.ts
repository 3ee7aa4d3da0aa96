/** Elements that draw nothing by themselves: other elements refer to them or to their children. */
const undrawn = new Set(
  (
    'symbol defs title desc metadata style script view ' +
    'clippath filter lineargradient marker mask pattern radialgradient'
  ).split(' '),
)

/**
 * True if an SVG file draws nothing by itself and has a `<symbol>`, which pages draw by `<use href="icons.svg#id">`. The symbol is a child of
 * `<svg>` or of its `<defs>`. Browsers refuse `<use>` from another origin than the page's, with or without CORS.
 *
 * @see https://www.w3.org/TR/SVG2/linking.html#processingURL-fetch
 */
export function isSvgSprite(svg: string): boolean {
  const markup = svg.replace(
    /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!DOCTYPE[^[>]*(\[[^\]]*\])?[^>]*>/gi,
    '',
  )
  const tags = markup.matchAll(/<(\/?)([\w:.-]+)(?:"[^"]*"|'[^']*'|[^"'>/]|\/(?!>))*(\/?)>/g)
  const open: string[] = []
  let hasSymbol = false
  for (const [, closing, fullName = '', empty] of tags) {
    if (closing) {
      open.pop()
      continue
    }
    const name = fullName.replace(/^svg:/, '').toLowerCase()
    if (open.length === 0 && name !== 'svg') return false
    // Editors add elements of their own namespaces.
    if (open.length === 1 && !undrawn.has(name) && !name.includes(':')) return false
    if (name === 'symbol' && (open.length === 1 || (open.length === 2 && open[1] === 'defs'))) hasSymbol = true
    if (!empty) open.push(name)
  }
  return hasSymbol
}

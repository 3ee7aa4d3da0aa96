/** Elements that draw nothing where they stand. Others refer to them, or to what is in them. */
const undrawn = new Set(
  (
    'symbol defs title desc metadata style script view ' +
    'clippath filter lineargradient marker mask pattern radialgradient'
  ).split(' '),
)

/**
 * Whether an SVG file is a sprite: it draws nothing by itself, and has a `<symbol>` for pages to draw by `<use href="icons.svg#id">`. Its
 * symbols are children of `<svg>` or of a `<defs>` there.
 *
 * Browsers refuse `<use>` from another origin than the page's, with or without CORS.
 *
 * @see https://www.w3.org/TR/SVG2/linking.html#processingURL-fetch
 */
export function isSvgSprite(svg: string): boolean {
  const markup = svg.replace(
    /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>|<\?[\s\S]*?\?>|<!DOCTYPE[^[>]*(\[[^\]]*\])?[^>]*>/gi,
    '',
  )
  const open: string[] = []
  let hasSymbol = false
  for (const [, closing, fullName = '', empty] of markup.matchAll(
    /<(\/?)([\w:.-]+)(?:"[^"]*"|'[^']*'|[^"'>/]|\/(?!>))*(\/?)>/g,
  )) {
    if (closing) {
      open.pop()
      continue
    }
    const name = fullName.replace(/^svg:/, '').toLowerCase()
    if (open.length === 0 && name !== 'svg') return false
    // Editors keep notes of their own in other namespaces.
    if (open.length === 1 && !undrawn.has(name) && !name.includes(':')) return false
    if (name === 'symbol' && (open.length === 1 || (open.length === 2 && open[1] === 'defs'))) hasSymbol = true
    if (!empty) open.push(name)
  }
  return hasSymbol
}

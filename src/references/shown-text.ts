/** Properties whose strings a page shows as they are: React, the DOM, documentation data. */
const textProperty = /^["']?(children|textContent|innerText|nodeValue|code|text|title|description|excerpt)["']?$/
const textElement =
  /^["'`](a|abbr|b|blockquote|button|caption|cite|code|dd|div|dt|em|figcaption|h[1-6]|i|inlineCode|kbd|label|legend|li|mark|option|p|pre|q|s|samp|small|span|strong|sub|summary|sup|td|textarea|th|title|u)["'`]$/

/** An open bracket or template. */
interface Open {
  /** True if strings directly in it are shown. */
  isShown: boolean
  /** True if it is a call whose third argument and later ones are an element's children. */
  hasChildren: boolean
  commas: number
}

/**
 * Returns a function that takes a script's tokens, one after the other. It returns true for a string that a page shows to people. Documentation has code samples in
 * such strings: `{ children: '<img src="…">' }`, `h('code', null, '<img src="…">')`.
 */
export function shownTexts(): (type: string, value: string) => boolean {
  const outside: Open = { isShown: false, hasChildren: false, commas: 0 }
  const open: Open[] = []
  let last = ''
  let beforeLast = ''
  let thirdLast = ''
  return (type, value) => {
    const top = open.at(-1) ?? outside
    const isString = type === 'StringLiteral' || type.includes('Template')
    const isShown = (isString || value === '[') && isTextAfter(top)
    if (last === '(' && isString) top.hasChildren ||= textElement.test(value)
    if (type === 'TemplateHead') open.push({ isShown, hasChildren: false, commas: 0 })
    else if (value === '(' || value === '[' || value === '{') {
      open.push({ isShown: value === '[' && isShown, hasChildren: last === 'createElement', commas: 0 })
    } else if (value === ')' || value === ']' || value === '}' || type === 'TemplateTail') open.pop()
    else if (value === ',') top.commas++
    thirdLast = beforeLast
    beforeLast = last
    last = value
    return type === 'TemplateMiddle' || type === 'TemplateTail' ? top.isShown : isString && isShown
  }

  function isTextAfter({ isShown, hasChildren, commas }: Open): boolean {
    if (last === ':' || last === '=') {
      // Not the colon of `is ? text : '…'`.
      return textProperty.test(beforeLast) && (last === '=' || thirdLast === '{' || thirdLast === ',')
    }
    return (isShown && (last === '[' || last === ',')) || (hasChildren && last === ',' && commas >= 2)
  }
}

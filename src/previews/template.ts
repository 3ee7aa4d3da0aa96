/** A location with placeholders, and the branch of the build in it. */
export interface Preview {
  /** `previews/[branch]` */
  template: string
  /** As git or the CI service names it; undefined if neither does. */
  branch: string | undefined
}

/** The forms of the values, by the placeholders' names. */
const forms = { branch: '[a-z0-9_.-]+', commit: '[0-9a-f]{7,12}' }

export type Placeholder = keyof typeof forms

export const placeholders = Object.keys(forms) as Placeholder[]

const bracketed = /\[([^[\]]*)\]/g

/** The names in brackets. */
export function placeholdersIn(location: string): string[] {
  return [...location.matchAll(bracketed)].map(([, name = '']) => name)
}

export function fillTemplate(template: string, value: (name: string) => string): string {
  return template.replace(bracketed, (_placeholder, name: string) => value(name))
}

/** All locations of a template, as policies name them: `previews/*`. */
export function patternOf(template: string): string {
  return fillTemplate(template, () => '*')
}

/** The part that all locations of a template begin with: `previews/`. */
export function headOf(template: string): string {
  return template.replace(/\[.*/s, '')
}

/** Matches the locations of a template. */
export function matcherOf(template: string): RegExp {
  const parts = template.split(bracketed)
  const source = parts.map((part, i) => (i % 2 === 0 ? part.replace(/\W/g, '\\$&') : forms[part as Placeholder]))
  return new RegExp(`^${source.join('')}$`)
}

import { inspect } from 'node:util'
import { StaticS3Error } from '../runtime/error.js'
import { suggestion } from '../runtime/suggestion.js'
import type { Variables } from './environment.js'
import { type Options, optionNames } from './options.js'

/** A value and the name under which the user knows it. */
export interface Named<T = unknown> {
  name: string
  value: T
}

/** Reads one setting after the other, and keeps the problems so that all of them can be reported at once. */
export class SettingReader {
  readonly warnings: string[] = []
  readonly problems: string[] = []
  readonly #options: Record<string, unknown>
  readonly #variables: Variables

  constructor(options: Options, variables: Variables) {
    this.#options = (options ?? {}) as Record<string, unknown>
    this.#variables = variables
    for (const name of Object.keys(this.#options)) {
      if (!optionNames.includes(name)) this.problems.push(`unknown option \`${name}\`${suggestion(name, optionNames)}`)
    }
  }

  /** The option, or the first of the variables that is set. One that is set to nothing, or `AWS_…` to Python's `None`, is not. */
  find(option: keyof Options | undefined, variables: readonly string[]): Named | undefined {
    const value = option && this.#options[option]
    if (value !== undefined && value !== null) return { name: `option \`${option}\``, value }
    return this.variable(...variables)
  }

  variable(...names: readonly string[]): Named<string> | undefined {
    const name = names.find((candidate) => {
      const value = this.#variables[candidate]?.trim() ?? ''
      return value !== '' && !(value === 'None' && candidate.startsWith('AWS_'))
    })
    return name === undefined ? undefined : { name, value: (this.#variables[name] as string).trim() }
  }

  /** A variable for which "set to nothing" is a value of its own. */
  emptyable(name: string): Named<string> | undefined {
    const value = this.#variables[name]
    return value === undefined || value.trim() === 'None' ? undefined : { name, value }
  }

  string(option: keyof Options, variables: readonly string[]): Named<string> | undefined {
    const found = this.find(option, variables)
    if (!found) return undefined
    if (typeof found.value !== 'string') {
      this.problem(found, 'has to be a string')
      return undefined
    }
    const value = found.value.trim()
    return value === '' ? undefined : { name: found.name, value }
  }

  boolean(option: keyof Options | undefined, variables: readonly string[], fallback: boolean): boolean {
    const found = this.find(option, variables)
    if (!found) return fallback
    const value = typeof found.value === 'boolean' ? found.value : asBoolean(found.value)
    if (value === undefined) this.problem(found, 'has to be one of 1, true, yes, on, 0, false, no, off')
    return value ?? fallback
  }

  oneOf<const T>(option: keyof Options, variables: readonly string[], allowed: readonly T[], fallback: T): T {
    const found = this.find(option, variables)
    if (!found) return fallback
    if (allowed.includes(found.value as T)) return found.value as T
    this.problem(found, `has to be one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`)
    return fallback
  }

  wholeNumber(option: keyof Options, variables: readonly string[], from: number, to: number, fallback: number): number {
    const found = this.find(option, variables)
    if (!found) return fallback
    const isDigits = typeof found.value === 'string' && /^\d+$/.test(found.value) && variables.includes(found.name)
    const value = isDigits ? Number(found.value) : found.value
    if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value
    this.problem(found, `has to be a whole number from ${from} to ${to}`)
    return fallback
  }

  globs(option: 'include' | 'exclude'): string[] {
    const found = this.find(option, [])
    if (!found) return []
    const globs = asGlobs(found.value)
    if (!globs) this.problem(found, 'has to be a glob or a list of globs, none with a `!` before it')
    return globs ?? []
  }

  names(option: 'allowSecrets'): readonly string[] {
    const found = this.find(option, [])
    if (!found) return []
    const names = typeof found.value === 'string' ? [found.value] : found.value
    if (Array.isArray(names) && names.every((name) => typeof name === 'string' && /^[\w.-]+$/.test(name))) return names
    // Not shown: it may be the value that was meant to be named.
    this.problems.push(`${found.name} has to be a list of variables' names such as ["MAPS_TOKEN"]`)
    return []
  }

  /** Adds a problem, which doesn't show the value, if there are credentials before the host of a URL. */
  refusedCredentials({ name, value }: Named<string>): boolean {
    const refused = /^([^/]*\/\/)?[^/]*@/.test(value)
    if (refused) this.problems.push(`${name} must not have credentials in it`)
    return refused
  }

  problem(found: Named, rule: string): void {
    this.problems.push(`${found.name} ${rule}, and is ${show(found.value)}`)
  }

  throwProblems(): void {
    if (this.problems.length === 0) return
    const count = this.problems.length === 1 ? 'a setting is' : `${this.problems.length} settings are`
    throw new StaticS3Error(`static-s3: ${count} wrong\n${this.problems.map((problem) => `  - ${problem}`).join('\n')}`)
  }
}

export function asBoolean(value: unknown): boolean | undefined {
  if (typeof value !== 'string') return undefined
  const word = value.trim().toLowerCase()
  if (['1', 'true', 'yes', 'on'].includes(word)) return true
  return ['0', 'false', 'no', 'off', ''].includes(word) ? false : undefined
}

/** Picomatch takes no more characters. */
const longestGlob = 65_536

export function asGlobs(value: unknown): string[] | undefined {
  const globs = typeof value === 'string' ? [value] : value
  // What a list leaves out is for `exclude`: here a negated glob would match nearly everything. `!(a|b)` is no negation.
  const isGlob = (glob: unknown) =>
    typeof glob === 'string' && !/^(\.?\/)?$/.test(glob) && !/^!(?!\()/.test(glob) && glob.length <= longestGlob
  return Array.isArray(globs) && globs.every(isGlob) ? globs : undefined
}

export function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function asUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // JSON has no way to write it: a bigint, or an object that has itself.
    return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY })
  }
}

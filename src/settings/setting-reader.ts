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

/** Reads one setting after the other, and collects the problems, so that one error lists all of them. */
export class SettingReader {
  readonly warnings: string[] = []
  readonly problems: string[] = []
  readonly #options: Record<string, unknown>
  readonly #variables: Variables

  constructor(options: Options, variables: Variables) {
    this.#options = (options ?? {}) as Record<string, unknown>
    this.#variables = variables
    for (const name of Object.keys(this.#options)) {
      if (!optionNames.includes(name))
        this.problems.push(`option \`${name}\` is unknown${suggestion(name, optionNames)}`)
    }
  }

  /** The option, or else the first variable that is set. An empty variable is not set. Nor is an `AWS_…` one with Python's `None`. */
  find(option: keyof Options | undefined, variables: readonly string[] = []): Named | undefined {
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

  /** A variable that may be set to an empty value. */
  emptyable(name: string): Named<string> | undefined {
    const value = this.#variables[name]
    return value === undefined || value.trim() === 'None' ? undefined : { name, value }
  }

  string(option: keyof Options, variables: readonly string[]): Named<string> | undefined {
    const found = this.find(option, variables)
    if (!found) return undefined
    if (typeof found.value !== 'string') {
      this.problem(found, 'use a string')
      return undefined
    }
    const value = found.value.trim()
    return value === '' ? undefined : { name: found.name, value }
  }

  boolean(option: keyof Options | undefined, variables: readonly string[], fallback: boolean): boolean {
    const found = this.find(option, variables)
    if (!found) return fallback
    const value = typeof found.value === 'boolean' ? found.value : asBoolean(found.value)
    if (value === undefined) this.problem(found, 'use one of 1, true, yes, on, 0, false, no, off')
    return value ?? fallback
  }

  oneOf<const T>(option: keyof Options, variables: readonly string[], allowed: readonly T[], fallback: T): T {
    const found = this.find(option, variables)
    if (!found) return fallback
    if (allowed.includes(found.value as T)) return found.value as T
    this.problem(found, `use one of ${allowed.map((value) => JSON.stringify(value)).join(', ')}`)
    return fallback
  }

  wholeNumber(option: keyof Options, variables: readonly string[], from: number, to: number, fallback: number): number {
    const found = this.find(option, variables)
    if (!found) return fallback
    const isDigits = typeof found.value === 'string' && /^\d+$/.test(found.value) && variables.includes(found.name)
    const value = isDigits ? Number(found.value) : found.value
    if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value
    this.problem(found, `use a whole number from ${from} to ${to}`)
    return fallback
  }

  globs(option: 'include' | 'exclude' | 'allowMissing'): string[] {
    const found = this.find(option)
    const globs = asGlobs(found?.value ?? [])
    if (found && !globs) this.problem(found, globRemedy)
    return globs ?? []
  }

  names(option: 'allowSecrets'): readonly string[] {
    const found = this.find(option)
    const names = [found?.value ?? []].flat()
    if (names.every((name) => typeof name === 'string' && /^[\w.-]+$/.test(name))) return names as string[]
    // Without the value: the user may have written the secret itself.
    this.problems.push(`option \`${option}\` is no list of variable names: use names such as ["MAPS_TOKEN"].`)
    return []
  }

  /** Adds a problem if a URL has credentials. The problem does not show the value. */
  refusesCredentials({ name, value }: Named<string>): boolean {
    const refuses = /^([^/]*\/\/)?[^/]*@/.test(value)
    if (refuses) this.problems.push(`${name} has credentials in it: remove them.`)
    return refuses
  }

  problem(found: Named, remedy: string): void {
    this.problems.push(`${found.name} is ${show(found.value)}: ${remedy}.`)
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

/** Characters. Picomatch takes little more. */
const longestGlob = 65_000

export const globRemedy = 'use a glob or a list of globs, with / between folders and no ! in front'

export function asGlobs(value: unknown): string[] | undefined {
  const globs = typeof value === 'string' ? [value] : value
  // A negated glob in a list would match nearly everything. `!(a|b)` is no negation. On Windows, users may mean a slash by `\`.
  const isGlob = (glob: unknown) =>
    typeof glob === 'string' && !/^[./]*$|^!(?!\()|\\/.test(glob) && glob.length <= longestGlob
  return Array.isArray(globs) && globs.every(isGlob) ? globs : undefined
}

export function asUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

export function show(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // JSON cannot write a bigint, nor an object that contains itself.
    return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY })
  }
}

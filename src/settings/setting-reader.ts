import { inspect } from 'node:util'
import { StaticS3Error } from '../runtime/error.js'
import { redactSecrets, redactUrl, resemblesKey } from '../runtime/redact.js'
import { suggestion } from '../runtime/suggestion.js'
import type { Variables } from './environment.js'
import { type Options, optionNames } from './options.js'

/** A value and the name under which the user knows it. */
export interface Named<T = unknown> {
  name: string
  value: T
}

export interface ReaderInput {
  options: Options
  variables: Variables
  /** Secret keys and tokens of the environment. No setting may contain one, and no message shows one. */
  secrets?: readonly string[]
  /** An option's name as the user writes it. */
  nameOption?: ((option: string) => string) | undefined
}

/** Characters. A shorter secret, such as `test`, may be part of a setting by chance. */
const shortestSecret = 16

/** Reads one setting after the other, and collects the problems, so that one error lists all of them. */
export class SettingReader {
  readonly warnings: string[] = []
  readonly problems: string[] = []
  /** The user's name for an option. */
  readonly nameOption: (option: string) => string
  readonly #options: Record<string, unknown>
  readonly #variables: Variables
  readonly #secrets: readonly string[]

  constructor({ options, variables, secrets = [], nameOption = (option) => `option \`${option}\`` }: ReaderInput) {
    this.#options = (options ?? {}) as Record<string, unknown>
    this.#variables = variables
    this.#secrets = secrets
    this.nameOption = nameOption
    for (const name of Object.keys(this.#options)) {
      if (!optionNames.includes(name))
        this.problems.push(`${nameOption(name)} is unknown${suggestion(name, optionNames)}`)
    }
  }

  /** The option, or else the first variable that is set. An empty variable is not set. Nor is an `AWS_…` one with Python's `None`. */
  find(option: keyof Options | undefined, variables: readonly string[] = []): Named | undefined {
    const value = option && this.#options[option]
    if (option === undefined || value === undefined || value === null) return this.variable(...variables)
    return this.#unlessSecret({ name: this.nameOption(option), value })
  }

  isSet(option: keyof Options | undefined, variables: readonly string[]): boolean {
    const given = option && this.#options[option]
    return given === undefined || given === null ? variables.some((name) => this.#isSet(name)) : given !== ''
  }

  variable(...names: readonly string[]): Named<string> | undefined {
    const name = names.find((candidate) => this.#isSet(candidate))
    return name === undefined
      ? undefined
      : this.#unlessSecret({ name, value: (this.#variables[name] as string).trim() })
  }

  #isSet(name: string): boolean {
    const value = this.#variables[name]?.trim() ?? ''
    return value !== '' && !(value === 'None' && name.startsWith('AWS_'))
  }

  /** Rejects secrets, because a setting may reach a page, a header or the record. */
  #unlessSecret<T>(found: Named<T>): Named<T> | undefined {
    const { name, value } = found
    const text = typeof value === 'string' ? value : typeof value === 'object' ? show(value) : ''
    const hasSecret = this.#secrets.some((secret) => secret.length >= shortestSecret && text.includes(secret))
    if (!hasSecret && !resemblesKey(text.trim())) return found
    this.problems.push(`${name} contains an access key: remove it.`)
    return undefined
  }

  /** A variable that may be set to an empty value. */
  emptyable(name: string): Named<string> | undefined {
    const value = this.#variables[name]
    return value === undefined || value.trim() === 'None' ? undefined : this.#unlessSecret({ name, value })
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
    if (value === undefined) this.problem(found, 'use 1, true, yes, on, 0, false, no or off')
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
    this.problems.push(`${this.nameOption(option)} is no list of variable names: use names such as ["MAPS_TOKEN"].`)
    return []
  }

  /** Adds a problem if a URL has credentials, a query or a fragment. The problem does not show the value. */
  refusesUrlSecrets({ name, value }: Named<string>): boolean {
    if (/@|%40/i.test(value)) this.problems.push(`${name} has credentials in it: remove them.`)
    else if (/[?#]/.test(value)) this.problems.push(`${name} has a query or a fragment: remove it.`)
    else return false
    return true
  }

  problem(found: Named, remedy: string): void {
    this.problems.push(`${this.shown(found)}: ${remedy}.`)
  }

  warn(found: Named, remedy: string): void {
    this.warnings.push(`${this.shown(found)}: ${remedy}`)
  }

  /** `AWS_LOCATION is "static"`, without secrets. */
  shown({ name, value }: Named): string {
    const text = typeof value === 'string' ? show(redactUrl(redactSecrets(value, this.#secrets))) : show(value)
    return `${name} is ${text}`
  }

  throwProblems(): void {
    const problems = [...new Set(this.problems)]
    if (problems.length === 0) return
    const count = problems.length === 1 ? 'a setting is' : `${problems.length} settings are`
    // A warning may give the cause: the setting has another name.
    const lines = [...problems, ...this.warnings.map((warning) => `${warning}.`)]
    throw new StaticS3Error(`static-s3: ${count} wrong\n${lines.map((line) => `  - ${line}`).join('\n')}`)
  }
}

export function asBoolean(value: unknown): boolean | undefined {
  if (typeof value !== 'string') return undefined
  const word = value.trim().toLowerCase()
  if (['1', 'true', 'yes', 'on'].includes(word)) return true
  return ['0', 'false', 'no', 'off', ''].includes(word) ? false : undefined
}

/** Characters. Picomatch accepts few more. */
const longestGlob = 65_000

export const globRemedy = 'use a glob or a list of globs, with / between folders and no ! in front'

export function asGlobs(value: unknown): string[] | undefined {
  const globs = typeof value === 'string' ? [value] : value
  // A negated glob in a list would match nearly everything. `!(a|b)` is no negation. Windows users may write `\` for a slash.
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

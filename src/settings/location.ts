import { previewName } from '../previews/preview-name.js'
import {
  fillTemplate,
  type Placeholder,
  type Preview,
  patternOf,
  placeholders,
  placeholdersIn,
} from '../previews/template.js'
import { suggestion } from '../runtime/suggestion.js'
import { isDots } from './address.js'
import { branchOf, commitOf, searched } from './checkout.js'
import type { Variables } from './environment.js'
import type { Named, SettingReader } from './setting-reader.js'

export interface Location {
  location: string
  /** Undefined if the location has no placeholder. */
  preview: Preview | undefined
}

/**
 * @param ofAll true for a command about all previews: each placeholder then becomes `*`, and neither branch nor commit is needed
 */
export function readLocation(read: SettingReader, shell: Variables, ofAll = false): Location {
  const found = read.find('location') ?? read.emptyable('AWS_LOCATION')
  if (!found) return { location: 'static', preview: undefined }
  if (typeof found.value !== 'string') {
    read.problem(found, 'use a string')
    return { location: '', preview: undefined }
  }
  const template = found.value.trim().replace(/^\/+|\/+$/g, '')
  const names = placeholdersIn(template)
  const unknown = names.find((name) => !placeholders.includes(name as Placeholder))
  const problem = unknown === undefined ? problemOf(template) : undefined
  if (unknown !== undefined) {
    read.problems.push(`${read.shown(found)}, and [${unknown}] is unknown${suggestion(unknown, placeholders)}`)
  } else if (problem !== undefined) {
    read.problem(found, problem)
  } else if (names.length > 0) {
    return ofAll
      ? { location: patternOf(template), preview: { template, branch: undefined } }
      : fill(read, { ...found, value: template }, shell)
  }
  return { location: template, preview: undefined }
}

/** The rule that a location breaks. */
function problemOf(template: string): string | undefined {
  if (template === '') return undefined
  const location = fillTemplate(template, () => 'x')
  const segments = location.split('/')
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) return 'use a folder in the bucket, not a URL'
  if (segments.some((segment) => segment === '' || isDots(segment))) return 'remove empty, "." and ".." parts'
  if (mayBeRecords(template)) return 'use another folder, because .static-s3 contains the records'
  // Bundlers, stores and browsers encode all other characters differently.
  return /^[\w.~/-]+$/.test(location) ? undefined : 'use letters, digits and - _ . ~ /'
}

function mayBeRecords(template: string): boolean {
  const [first = ''] = template.split('/')
  const fixed = first.replace(/\[.*/s, '')
  return first === '.static-s3' || (fixed !== '' && fixed !== first && '.static-s3'.startsWith(fixed))
}

function fill(read: SettingReader, found: Named<string>, shell: Variables): Location {
  const branch = branchOf(shell)
  const values = {
    branch: () => (branch === undefined ? undefined : previewName(branch)),
    commit: () => commitOf(shell)?.toLowerCase().slice(0, 12),
  }
  const location = fillTemplate(found.value, (name) => {
    const value = values[name as Placeholder]()
    if (value === undefined) {
      const example = fillTemplate(found.value, (each) => (each === 'branch' ? 'my-branch' : '0123456789ab'))
      read.problem(
        found,
        `write the ${name} itself, as in ${example}, because none of these names one: ${searched[name as Placeholder]}`,
      )
    }
    return value ?? ''
  })
  return { location, preview: { template: found.value, branch } }
}

import { suggestion } from '../runtime/suggestion.js'
import { inside } from './headers.js'
import type { SettingReader } from './setting-reader.js'
import type { Settings } from './settings.js'

const fields = {
  releases: { from: 1, isWhole: true, remedy: 'use a whole number from 1' },
  days: { from: 0, isWhole: false, remedy: 'use a number from 0' },
}

/** Undefined if deploys do not prune. */
export function readRetention(read: SettingReader): Settings['retention'] {
  const found = read.find('retention')
  if (!found) return undefined
  const retention = { releases: 10, days: 30 }
  if (typeof found.value !== 'object' || Array.isArray(found.value)) {
    read.problem(found, 'use { releases, days }')
    return retention
  }
  for (const [field, value] of Object.entries(found.value as object)) {
    const name = inside(found.name, field)
    if (field !== 'releases' && field !== 'days') {
      read.problems.push(`${name} is unknown${suggestion(field, Object.keys(fields))}`)
    } else if (value !== undefined) {
      const { from, isWhole, remedy } = fields[field]
      const isRight = Number.isFinite(value) && value >= from && (!isWhole || Number.isInteger(value))
      if (isRight) retention[field] = value
      else read.problem({ name, value }, remedy)
    }
  }
  return retention
}

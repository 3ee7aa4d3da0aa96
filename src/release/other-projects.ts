import type { Bucket } from '../bucket/bucket.js'
import { locationName, prefixOf } from '../urls/paths.js'
import type { Plan } from './plan.js'
import { readNewestRecord, type Survey } from './survey.js'

export interface OwnProject {
  bucket: Bucket
  location: string
  /** Its name; undefined if it has none. */
  project: string | undefined
}

/** The most locations to read. */
const mostLocations = 5

/**
 * A warning if this plan replaces a file of another project: both share a location, or one project's location lies inside the other's. Sends
 * requests only if the plan replaces an object that no record of this location knows.
 */
export async function warningOfOthers(own: OwnProject, plan: Plan, { record }: Survey): Promise<string | undefined> {
  const replaced = plan.decisions.flatMap(({ file, action, reason }) =>
    action === 'upload' && reason !== 'new' && reason !== 'forced' ? [file] : [],
  )
  const shared = replaced.find(({ path }) => record?.objects.get(path)?.release === record?.live)
  if (shared && record?.project !== undefined && own.project !== undefined && record.project !== own.project) {
    return warning(shared.key, record.project, 'this location as well')
  }
  const unknown = replaced.filter(({ path }) => !record?.objects.has(path))
  const locations = new Set(unknown.flatMap(({ key }) => locationsOf(key)))
  locations.delete(own.location)
  for (const location of [...locations].slice(0, mostLocations)) {
    const theirs = await readNewestRecord(own.bucket, location).catch(() => undefined)
    const file = unknown.find(({ key }) => theirs?.objects.has(key.slice(prefixOf(location).length)))
    if (theirs && file) return warning(file.key, theirs.project, locationName(location))
  }
  return undefined
}

/** Every location that a key may belong to. */
function locationsOf(key: string): string[] {
  const folders = key.split('/').slice(0, -1)
  return ['', ...folders.map((_name, i) => folders.slice(0, i + 1).join('/'))]
}

function warning(key: string, project: string | undefined, location: string): string {
  const whose = project === undefined ? 'another project' : `the project ${JSON.stringify(project)}`
  return `${key}: replaced, though ${whose} deployed it (to ${location}). Give each project an AWS_LOCATION of its own.`
}

import { plain } from '../runtime/error.js'
import type { Finding, Point } from './point.js'
import { djangoSettings } from './points/django.js'
import { privacy } from './points/privacy.js'
import { remove, rights } from './points/rights.js'
import { signingIn } from './points/signing-in.js'
import { visitors } from './points/visitors.js'
import type { Site } from './site.js'

/** In an order in which each follows its needs. */
export const allPoints: readonly Point[] = [
  ...[...signingIn, ...rights, ...privacy, ...visitors, ...djangoSettings],
  remove,
]

export interface Checked extends Finding {
  point: Point
  /** The point for which this one was skipped. */
  because?: Point | undefined
}

/** Looks at one point after the other. A point whose needs fail is skipped, so that one cause gives one fault. */
export async function* lookAt(points: readonly Point[], site: Site, stopped: AbortSignal): AsyncGenerator<Checked> {
  const done = new Map<Point, Checked>()
  for (const point of points) {
    stopped.throwIfAborted()
    const missing = point.needs.map((need) => done.get(need)).find((need) => need && isMissing(need))
    const because = missing && (missing.because ?? missing.point)
    const finding: Finding = because
      ? { verdict: 'unknown', saw: `skipped until "${because.name}" passes` }
      : await lookSafely(point, site)
    stopped.throwIfAborted()
    const checked = { ...finding, point, because }
    done.set(point, checked)
    yield checked
  }
}

/** A look that ends in an error, such as a lost connection, has seen nothing. */
async function lookSafely(point: Point, site: Site): Promise<Finding> {
  try {
    return await point.look(site)
  } catch (error) {
    return { verdict: 'unknown', saw: plain(error) }
  }
}

/** True if other points wait for this one: it failed, or it is unknown and a deploy needs it. */
function isMissing({ verdict, point, because }: Checked): boolean {
  return verdict === 'fail' || (verdict === 'unknown' && (point.isNeeded || because !== undefined))
}

export type Outcome = 'fine' | 'broken' | 'unclear'

export function outcomeOf(findings: readonly Checked[]): Outcome {
  if (findings.some(({ verdict }) => verdict === 'fail')) return 'broken'
  const isUnclear = findings.some(({ verdict, point }) => verdict === 'unknown' && point.isNeeded)
  return isUnclear ? 'unclear' : 'fine'
}

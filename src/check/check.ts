import type { Finding, Point } from './point.js'
import { djangoSettings } from './points/django.js'
import { privacy } from './points/privacy.js'
import { rights } from './points/rights.js'
import { signingIn } from './points/signing-in.js'
import { visitors } from './points/visitors.js'
import type { Site } from './site.js'

/** In an order in which each follows its needs. */
export const allPoints: readonly Point[] = [...signingIn, ...rights, ...privacy, ...visitors, ...djangoSettings]

export interface Checked extends Finding {
  point: Point
  /** The fault that makes a look pointless. */
  because?: Point | undefined
}

/** Looks at one point after the other. A point whose needs fail is not looked at, so that one cause gives one fault. */
export async function* lookAt(points: readonly Point[], site: Site, stopped: AbortSignal): AsyncGenerator<Checked> {
  const done = new Map<Point, Checked>()
  for (const point of points) {
    stopped.throwIfAborted()
    const missing = point.needs.map((need) => done.get(need)).find((need) => need && isMissing(need))
    const because = missing && (missing.because ?? missing.point)
    const finding: Finding = because
      ? { verdict: 'unknown', saw: `not looked at, because of: ${because.name}` }
      : await point.look(site)
    stopped.throwIfAborted()
    const checked = { ...finding, point, because }
    done.set(point, checked)
    yield checked
  }
}

/** Points that a deploy can do without hold back no others if they are unknown. */
function isMissing({ verdict, point, because }: Checked): boolean {
  return verdict === 'fail' || (verdict === 'unknown' && (point.isNeeded || because !== undefined))
}

export type Outcome = 'fine' | 'broken' | 'unclear'

export function outcomeOf(findings: readonly Checked[]): Outcome {
  if (findings.some(({ verdict }) => verdict === 'fail')) return 'broken'
  const isUnclear = findings.some(({ verdict, point }) => verdict === 'unknown' && point.isNeeded)
  return isUnclear ? 'unclear' : 'fine'
}

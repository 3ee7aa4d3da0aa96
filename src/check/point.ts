import { plain, responseOf } from '../runtime/error.js'
import type { Site } from './site.js'

export type Verdict = 'pass' | 'fail' | 'unknown'

/** The result of a look. A `pass` with a fault is a hint: deploys and visitors get by with it. */
export interface Finding<Fault extends string = string> {
  verdict: Verdict
  /** A name for scripts. */
  fault?: Fault
  saw: string
  /** A sentence, or lines to paste. */
  remedy?: string | undefined
}

/** One thing that a check looks at. */
export interface Point<Fault extends string = string> {
  group: string
  name: string
  /** All faults that `look` can name. */
  faults: readonly Fault[]
  /** Without these, a look would show nothing new. */
  needs: readonly Point[]
  /** False if a deploy, and the visitors, can do without an answer. */
  isNeeded: boolean
  look(site: Site): Promise<Finding<Fault>> | Finding<Fault>
}

type Parts<Fault extends string> = Pick<Point<Fault>, 'name' | 'faults' | 'look'> & Partial<Point<Fault>>

/** Makes the points of a group. */
export const pointsOf =
  (group: string) =>
  <const Fault extends string>({ needs = [], isNeeded = true, ...parts }: Parts<Fault>): Point<Fault> => ({
    group,
    needs,
    isNeeded,
    ...parts,
  })

export const pass = (saw: string): Finding<never> => ({ verdict: 'pass', saw })

const faultWith =
  (verdict: Verdict) =>
  <Fault extends string>(fault: Fault, saw: string, remedy?: string): Finding<Fault> => ({
    verdict,
    fault,
    saw,
    remedy,
  })

export const hint = faultWith('pass')
export const fail = faultWith('fail')
export const unknown = faultWith('unknown')

/** Faults of a request to the store. */
export const refusals = ['refused', 'no-answer'] as const

/** A refused request is a fault. Without a response of the store, nothing is known. */
export function refusalOf(error: unknown, remedy?: string): Finding<(typeof refusals)[number]> {
  const { status } = responseOf(error)
  const isAnswer = status !== undefined && (status < 500 || status === 501) && status !== 429
  return isAnswer ? fail('refused', plain(error), remedy) : unknown('no-answer', plain(error))
}

/** A look that several points share. */
export function shared<T>(look: (site: Site) => Promise<T>): (site: Site) => Promise<T> {
  const looks = new WeakMap<Site, Promise<T>>()
  return (site) => {
    const found = looks.get(site) ?? look(site)
    looks.set(site, found)
    return found
  }
}

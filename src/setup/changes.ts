import type {
  BucketConfiguration,
  CorsRule,
  LifecycleRule,
  PolicyDocument,
  PolicyStatement,
  PublicAccessBlock,
} from '../bucket/configuration.js'
import { bucketPolicy, bucketPolicySids, type Readers } from '../policy/bucket.js'
import { allowsOrigin, corsRules } from '../policy/cors.js'
import { bucketArn, type PolicyNames, sidOf } from '../policy/names.js'
import { allowsAsMuch, isSame, namesEverybody, opensToCloudFront } from './statements.js'

/** A bucket's configuration. A part is undefined if the store does not have it. */
export interface BucketState {
  policy?: PolicyDocument | undefined
  corsRules?: CorsRule[] | undefined
  lifecycleRules?: LifecycleRule[] | undefined
  /** AWS only, like the next one. */
  ownership?: string | undefined
  publicAccessBlock?: PublicAccessBlock | undefined
}

export interface Wanted {
  names: PolicyNames
  readers: Readers
  /** Undefined: every origin, unless an earlier setup named some. */
  origins: readonly string[] | undefined
  /** True if the settings give ACLs to objects. */
  usesAcl: boolean
}

export const parts = ['ownership', 'lifecycle rules', 'CORS rules', 'public access block', 'bucket policy'] as const

export type Part = (typeof parts)[number]

export interface Change {
  part: Part
  removed: readonly unknown[]
  added: readonly unknown[]
  /** The number of other statements or rules, which stay. */
  kept: number
  write(configuration: BucketConfiguration): Promise<void>
  /** Writes the old value again. */
  undo?(configuration: BucketConfiguration): Promise<void>
}

/** A new bucket on AWS. */
export const newOnAws: BucketState = {
  policy: emptyPolicy(),
  corsRules: [],
  lifecycleRules: [],
  ownership: 'BucketOwnerEnforced',
  publicAccessBlock: {
    BlockPublicAcls: true,
    IgnorePublicAcls: true,
    BlockPublicPolicy: true,
    RestrictPublicBuckets: true,
  },
}

/** A new bucket elsewhere. */
export const newElsewhere: BucketState = { policy: emptyPolicy(), corsRules: [], lifecycleRules: [] }

export function emptyPolicy(): PolicyDocument {
  return { Version: '2012-10-17', Statement: [] }
}

/**
 * The changes from `state` to `wanted`, in the order of their writes. A bucket is opened to the public last, immediately before its policy, and
 * closed after its policy. Statements and rules of others stay as they are.
 */
export function changesOf(state: BucketState, wanted: Wanted): Change[] {
  const policy = policyChange(state, wanted)
  const block = blockChange(state, wanted)
  const last = staysPrivate(state, wanted) ? [policy, block] : [block, policy]
  const first = [ownershipChange(state, wanted), lifecycleChange(state, wanted), corsChange(state, wanted)]
  return [...first, ...last].filter((change) => change !== undefined)
}

/**
 * The statement by which visitors read the location already: ours, or another one for CloudFront. It stays unless a flag names the readers, so that
 * a setup opens nothing that is private or limited.
 */
export function readerIn({ policy }: BucketState, { names, readers }: Wanted): PolicyStatement | undefined {
  if (readers.distribution !== undefined) return undefined
  const there = [policy?.Statement ?? []].flat()
  return (
    there.find(({ Sid }) => Sid === sidOf('Read', names.location)) ??
    there.find((each) => opensToCloudFront(each, filesOf(names)))
  )
}

/** Every file of the location, as a policy names it. */
export function filesOf(names: PolicyNames): string {
  return `${bucketArn(names)}/${names.location === '' ? '' : `${names.location}/`}*`
}

/** True if only CloudFront reads the location. */
export function staysPrivate(state: BucketState, wanted: Wanted): boolean {
  const reader = readerIn(state, wanted)
  return wanted.readers.distribution !== undefined || (reader !== undefined && !namesEverybody(reader))
}

function policyChange(state: BucketState, asked: Wanted): Change | undefined {
  const { policy } = state
  const { names, readers } = asked
  if (policy === undefined) return undefined
  const there = [policy.Statement].flat()
  const reader = readerIn(state, asked)
  const sids = bucketPolicySids(names.location)
  const isOurs = ({ Sid }: PolicyStatement) => Sid !== undefined && sids.includes(Sid)
  const others = there.filter((each) => !isOurs(each))
  const isGiven = (each: PolicyStatement) =>
    others.some((other) => allowsAsMuch(other, each) || isSame({ ...other, Sid: each.Sid }, each))
  const stays = (each: PolicyStatement) =>
    (each === reader && isOurs(each)) ||
    (readers.immutable === undefined && each.Sid === sidOf('KeepFiles', names.location))
  const kept = there.filter(stays)
  const all: PolicyStatement[] = bucketPolicy(names, readers).Statement
  const wanted = all.filter(({ Sid }) => reader === undefined || Sid !== sidOf('Read', names.location))
  const ours = [...wanted.filter((each) => !isGiven(each)), ...kept]
  const { removed, added } = difference(there.filter(isOurs), ours)
  if (removed.length + added.length === 0) return undefined
  const Statement = merged(there, isOurs, ours, 'Sid')
  const document = { ...emptyPolicy(), ...policy, Statement }
  return { part: 'bucket policy', removed, added, kept: others.length, write: (to) => to.putPolicy(document) }
}

/** CORS rules are the whole bucket's, so that our rule keeps the origins of other locations. */
function corsChange({ corsRules: there }: BucketState, { origins }: Wanted): Change | undefined {
  if (there === undefined) return undefined
  const [wanted] = corsRules(origins)
  if (wanted === undefined) return undefined
  const isOurs = ({ ID }: CorsRule) => ID === wanted.ID
  const old = there.find(isOurs)
  const isAllowed = (origin: string) => there.some((rule) => allowsOrigin(rule, origin))
  if ((old && origins === undefined) || wanted.AllowedOrigins.every(isAllowed)) return undefined
  const ours = { ...wanted, AllowedOrigins: [...new Set([...(old?.AllowedOrigins ?? []), ...wanted.AllowedOrigins])] }
  const rules = merged(there, isOurs, [ours], 'ID')
  return {
    part: 'CORS rules',
    ...difference(old ? [old] : [], [ours]),
    kept: there.length - (old ? 1 : 0),
    write: (to) => to.putCorsRules(rules),
  }
}

/** Days after which S3 removes the parts of an upload that a killed deploy left. No upload takes as long. */
const ABORT_AFTER = 7

function lifecycleChange({ lifecycleRules: there }: BucketState, { names }: Wanted): Change | undefined {
  if (there === undefined) return undefined
  const ID = sidOf('AbortUploads', names.location)
  const prefix = names.location === '' ? '' : `${names.location}/`
  const isOurs = (rule: LifecycleRule) => rule.ID === ID
  const old = there.find(isOurs)
  if (there.some((rule) => abortsUploads(rule, prefix))) return undefined
  // S3 does not mix the two forms.
  const isOldForm = there.some(({ Filter, Prefix }) => Filter === undefined && Prefix !== undefined)
  const place = isOldForm ? { Prefix: prefix } : { Filter: { Prefix: prefix } }
  const days = { AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABORT_AFTER } }
  const ours: LifecycleRule = { ID, Status: 'Enabled', ...place, ...days }
  const rules = merged(there, isOurs, [ours], 'ID')
  return {
    part: 'lifecycle rules',
    ...difference(old ? [old] : [], [ours]),
    kept: there.length - (old ? 1 : 0),
    write: (to) => to.putLifecycleRules(rules),
  }
}

function abortsUploads(rule: LifecycleRule, prefix: string): boolean {
  const { Status, Prefix, Filter = {}, AbortIncompleteMultipartUpload } = rule
  const { Prefix: filtered, ...others } = Filter
  const isLimited = Object.values(others).some((each) => each !== undefined)
  const abortsAny = Status === 'Enabled' && AbortIncompleteMultipartUpload?.DaysAfterInitiation !== undefined
  return abortsAny && !isLimited && prefix.startsWith(Prefix ?? filtered ?? '')
}

function ownershipChange({ ownership }: BucketState, { names, usesAcl }: Wanted): Change | undefined {
  const wanted = 'BucketOwnerEnforced'
  if (names.endpoint !== undefined || usesAcl || ownership === wanted) return undefined
  const removed = ownership === undefined ? [] : [ownership]
  return { part: 'ownership', removed, added: [wanted], kept: 0, write: (to) => to.putOwnership(wanted) }
}

function blockChange(state: BucketState, wanted: Wanted): Change | undefined {
  const { publicAccessBlock: old, policy } = state
  const { names, usesAcl } = wanted
  // Without the policy, nobody knows what the block keeps private.
  if (names.endpoint !== undefined || policy === undefined) return undefined
  const isPrivate = staysPrivate(state, wanted)
  // Blocks would cut off the visitors of other locations.
  const ours = bucketPolicySids(names.location)
  const others = [policy.Statement].flat().filter(({ Sid = '' }) => !ours.includes(Sid))
  if (isPrivate && (usesAcl || others.some(namesEverybody))) return undefined
  const open = { BlockPublicPolicy: false, RestrictPublicBuckets: false }
  const next = isPrivate ? newOnAws.publicAccessBlock : { ...old, ...open }
  // A bucket without blocks is open.
  const blocked = (block: PublicAccessBlock = {}) =>
    Object.entries(block)
      .filter(([, value]) => value)
      .sort()
  if (next === undefined || isSame(blocked(old), blocked(next))) return undefined
  return {
    part: 'public access block',
    removed: old === undefined ? [] : [old],
    added: [next],
    kept: 0,
    write: (to) => to.putPublicAccessBlock(next),
    ...(old === undefined ? {} : { undo: (to: BucketConfiguration) => to.putPublicAccessBlock(old) }),
  }
}

function difference<T>(old: readonly T[], next: readonly T[]): Pick<Change, 'removed' | 'added'> {
  const without = (some: readonly T[], others: readonly T[]) =>
    some.filter((each) => !others.some((other) => isSame(each, other)))
  return { removed: without(old, next), added: without(next, old) }
}

/** Others' entries, and ours: in the place of the old one of the same name, or at the end. */
function merged<T extends object>(
  there: readonly T[],
  isOurs: (each: T) => boolean,
  ours: readonly T[],
  name: keyof T,
): T[] {
  const next = (old: T) => ours.filter((each) => each[name] === old[name])
  const isNew = (each: T) => !there.some((old) => old[name] === each[name])
  return [...there.flatMap((old) => (isOurs(old) ? next(old) : [old])), ...ours.filter(isNew)]
}

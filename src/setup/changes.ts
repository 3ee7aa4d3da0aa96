import {
  abortsUploads,
  type BucketConfiguration,
  type CorsRule,
  type LifecycleRule,
  type PolicyDocument,
  type PolicyStatement,
  type PublicAccessBlock,
} from '../bucket/configuration.js'
import { bucketPolicy, bucketPolicySids, type Readers } from '../policy/bucket.js'
import { allowsOrigin, corsRule } from '../policy/cors.js'
import { bucketArn, literalPrefix, type PolicyNames, sidOf } from '../policy/names.js'
import { allowsAsMuch, hasVariable, isSame, namesEverybody, opensToCloudFront } from './statements.js'

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
  /** True to open the location to everybody, even if it is private or limited. */
  isPublic: boolean
  /** Undefined: every origin, unless an earlier setup named some. */
  origins: readonly string[] | undefined
  /** True if the settings give ACLs to objects. */
  usesAcl: boolean
}

export type Part = 'ownership' | 'lifecycle rules' | 'CORS rules' | 'bucket policy' | 'public access block'

export interface Change {
  part: Part
  removed: readonly unknown[]
  added: readonly unknown[]
  /** The number of other statements or rules, which stay. */
  kept: number
  write(configuration: BucketConfiguration): Promise<void>
}

const allBlocks: PublicAccessBlock = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
}

/** The policy language in which `${…}` is a variable. In the older one, it is text: our statement would then deny the records to everybody. */
const VERSION = '2012-10-17'

/** A new bucket on AWS. */
export const newOnAws: BucketState = {
  policy: emptyPolicy(),
  corsRules: [],
  lifecycleRules: [],
  ownership: 'BucketOwnerEnforced',
  publicAccessBlock: allBlocks,
}

/** A new bucket elsewhere. */
export const newElsewhere: BucketState = { policy: emptyPolicy(), corsRules: [], lifecycleRules: [] }

export function emptyPolicy(): PolicyDocument {
  return { Version: VERSION, Statement: [] }
}

/**
 * The changes from `state` to `wanted`, in the order of their writes. Statements and rules of others stay as they are. The public access block is
 * last: it opens a bucket only after the policy denies the records, so that a setup may stop after any request.
 */
export function changesOf(state: BucketState, wanted: Wanted): Change[] {
  const all = [ownershipChange, lifecycleChange, corsChange, policyChange, blockChange]
  return all.map((changeOf) => changeOf(state, wanted)).filter((change) => change !== undefined)
}

/**
 * The statement by which visitors read the location already: ours, or another one for CloudFront. It stays unless a flag names the readers, so that
 * a setup opens nothing that is private or limited.
 */
export function readerIn({ policy }: BucketState, wanted: Wanted): PolicyStatement | undefined {
  const { names, readers, isPublic } = wanted
  if (isPublic || readers.distribution !== undefined) return undefined
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
  const { policy, publicAccessBlock: block } = state
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
  const all = bucketPolicy(names, readers).Statement
  const wanted = all.filter(({ Sid }) => reader === undefined || Sid !== sidOf('Read', names.location))
  const ours = [...wanted.filter((each) => !isGiven(each)), ...there.filter(stays)]
  const { Version = '2008-10-17' } = policy
  const next = ours.some(hasVariable) ? VERSION : Version
  return listChange({
    ...{ part: 'bucket policy', there, isOurs, name: 'Sid', ours },
    ...(next === Version ? {} : { field: { old: { Version }, next: { Version: next } } }),
    async write(to, Statement) {
      // S3 accepts the public policy, and still restricts the bucket.
      if (block?.BlockPublicPolicy && !staysPrivate(state, asked)) {
        await to.putPublicAccessBlock({ ...block, BlockPublicPolicy: false })
      }
      await to.putPolicy({ ...policy, Version: next, Statement })
    },
  })
}

/** CORS rules are the whole bucket's, so that our rule keeps the origins of other locations. */
function corsChange({ corsRules: there }: BucketState, { origins }: Wanted): Change | undefined {
  if (there === undefined) return undefined
  const wanted = corsRule(origins)
  const isOurs = ({ ID }: CorsRule) => ID === wanted.ID
  const old = there.find(isOurs)
  const isAllowed = (origin: string) => there.some((rule) => allowsOrigin(rule, origin))
  if ((old && origins === undefined) || wanted.AllowedOrigins.every(isAllowed)) return undefined
  const AllowedOrigins = [...new Set([...(old?.AllowedOrigins ?? []), ...wanted.AllowedOrigins])]
  return listChange({
    ...{ part: 'CORS rules', there, isOurs, name: 'ID', ours: [{ ...wanted, AllowedOrigins }] },
    write: (to, rules) => to.putCorsRules(rules),
  })
}

/** Days after which S3 removes the parts of an upload that a killed deploy left. No upload takes as long. */
const ABORT_AFTER = 7

function lifecycleChange({ lifecycleRules: there }: BucketState, { names }: Wanted): Change | undefined {
  const prefix = literalPrefix(names.location === '' ? '' : `${names.location}/`)
  if (there === undefined || there.some((rule) => abortsUploads(rule, prefix))) return undefined
  const ID = sidOf('AbortUploads', names.location)
  // S3 does not mix the two forms.
  const isOldForm = there.some(({ Filter, Prefix }) => Filter === undefined && Prefix !== undefined)
  const place = isOldForm ? { Prefix: prefix } : { Filter: { Prefix: prefix } }
  const days = { AbortIncompleteMultipartUpload: { DaysAfterInitiation: ABORT_AFTER } }
  const ours: LifecycleRule[] = [{ ID, Status: 'Enabled', ...place, ...days }]
  return listChange({
    ...{ part: 'lifecycle rules', there, isOurs: (rule: LifecycleRule) => rule.ID === ID, name: 'ID', ours },
    write: (to, rules) => to.putLifecycleRules(rules),
  })
}

function ownershipChange({ ownership }: BucketState, { names, usesAcl }: Wanted): Change | undefined {
  const wanted = 'BucketOwnerEnforced'
  if (names.endpoint !== undefined || usesAcl || ownership === wanted) return undefined
  return valueChange('ownership', ownership, wanted, (to) => to.putOwnership(wanted))
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
  const next = isPrivate ? allBlocks : { ...old, ...open }
  // A bucket without blocks is open.
  const blocked = (block: PublicAccessBlock = {}) =>
    Object.entries(block)
      .filter(([, value]) => value)
      .sort()
  if (isSame(blocked(old), blocked(next))) return undefined
  return valueChange('public access block', old, next, (to) => to.putPublicAccessBlock(next))
}

function valueChange(part: Part, old: unknown, next: unknown, write: Change['write']): Change {
  return { part, removed: old === undefined ? [] : [old], added: [next], kept: 0, write }
}

interface ListInput<T> {
  part: Part
  there: readonly T[]
  isOurs(each: T): boolean
  ours: readonly T[]
  /** The field that tells entries apart. */
  name: keyof T
  /** A field beside the list that changes too. */
  field?: { old: object; next: object }
  write(to: BucketConfiguration, all: T[]): Promise<void>
}

/** The change of a list to others' entries, which stay, and ours: each in the place of the old one of the same name, or at the end. */
function listChange<T>({ part, there, isOurs, ours, name, field, write }: ListInput<T>): Change | undefined {
  const old = there.filter(isOurs)
  const without = (some: readonly T[], others: readonly T[]) =>
    some.filter((each) => !others.some((other) => isSame(each, other)))
  const beside = (value?: object) => (value === undefined ? [] : [value])
  const removed = [...beside(field?.old), ...without(old, ours)]
  const added = [...beside(field?.next), ...without(ours, old)]
  if (removed.length + added.length === 0) return undefined
  const next = (each: T) => ours.filter((other) => other[name] === each[name])
  const isNew = (each: T) => !there.some((other) => other[name] === each[name])
  const all = [...there.flatMap((each) => (isOurs(each) ? next(each) : [each])), ...ours.filter(isNew)]
  return { part, removed, added, kept: there.length - old.length, write: (to) => write(to, all) }
}

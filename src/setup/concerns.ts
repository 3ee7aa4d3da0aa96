import type { PolicyDocument, PolicyStatement } from '../bucket/configuration.js'
import { bucketPolicySids } from '../policy/bucket.js'
import { corsRule } from '../policy/cors.js'
import { bucketArn, sidOf } from '../policy/names.js'
import { type BucketState, type Change, filesOf, readerIn, staysPrivate, type Wanted } from './changes.js'
import { hasVariable, isForAll, letsUsersWrite, namesEverybody, opensToAll } from './statements.js'

/** Warnings before the changes. */
export function concernsOf(state: BucketState, changes: readonly Change[], wanted: Wanted): string[] {
  const { policy, ownership } = state
  const { names } = wanted
  const { bucket, location, endpoint } = names
  const arn = bucketArn(names)
  const ours = sidOf('', '')
  const others = [policy?.Statement ?? []].flat().filter(({ Sid = '' }) => !Sid.startsWith(ours))
  const concerns = [
    ...ofPrivateLocation(state, wanted),
    ...ofOtherAccounts(others, changes, wanted),
    ...ofOrigins(state, wanted),
    ...ofVersion(others, changes),
  ]
  for (const each of others) {
    if (opensToAll(each, 's3:ListBucket', arn)) {
      concerns.push(
        `the statement ${named(each)} of the policy lets everybody list s3://${bucket}: remove s3:ListBucket`,
      )
    }
    // On AWS, our policy denies it.
    if (endpoint !== undefined && opensToAll(each, 's3:GetObject', `${arn}/.static-s3/${location}/lock`)) {
      concerns.push(
        `the statement ${named(each)} of the policy lets everybody read .static-s3/, with who deployed, when, and from which commit: limit its Resource`,
      )
    }
  }
  const opened = others.filter(isForAll)
  const block = changes.find(({ part }) => part === 'public access block')
  if (block && opened.length > 0) {
    concerns.push(
      `without the public access block, other statements let everybody in too: ${opened.map(named).join(', ')}`,
    )
  }
  if (ownership !== undefined && changes.some(({ part }) => part === 'ownership')) {
    concerns.push(
      'objects that are public by an ACL alone become private. To keep ACLs, set AWS_DEFAULT_ACL before the setup',
    )
  }
  return concerns
}

/** A statement's name, or all of it. */
function named(statement: PolicyStatement): string {
  return statement.Sid ?? JSON.stringify(statement)
}

/** Statements that let others than CloudFront read. */
function ofPrivateLocation(state: BucketState, wanted: Wanted): string[] {
  const { names } = wanted
  if (!staysPrivate(state, wanted)) return []
  const sids = bucketPolicySids(names.location)
  const there = [state.policy?.Statement ?? []].flat().filter(({ Sid = '' }) => !sids.includes(Sid))
  const reader = readerIn(state, wanted)
  const opened = there.filter((each) => opensToAll(each, 's3:GetObject', filesOf(names)))
  const everybody = there.filter(namesEverybody)
  return [
    ...(reader && there.includes(reader)
      ? [
          `CloudFront reads the files by the statement ${named(reader)}, so the bucket stays private. --public opens the location to everybody`,
        ]
      : []),
    ...opened.map((each) => `everybody can still read the files, by the statement ${named(each)}: remove it`),
    ...(everybody.length > 0 && names.endpoint === undefined
      ? [`the public access block stays as it is, for other statements: ${everybody.map(named).join(', ')}`]
      : []),
  ]
}

/**
 * Our policy denies the records to other accounts. Deployers of another account need a statement in the bucket's policy. S3 lets only the bucket's
 * own account change the policy, so that this setup's credentials say nothing about them.
 */
function ofOtherAccounts(others: readonly PolicyStatement[], changes: readonly Change[], { names }: Wanted): string[] {
  const denies = sidOf('DenyRecords', names.location)
  const isNew = changes.some(({ added }) => added.some((each) => (each as PolicyStatement).Sid === denies))
  return others
    .filter((each) => isNew && letsUsersWrite(each, filesOf(names)))
    .map(
      (each) =>
        `the statement ${named(each)} lets users upload: those of another AWS account can't read .static-s3/, and deploy without records`,
    )
}

/** In a policy of an old version, a `${…}` of others was text. */
function ofVersion(others: readonly PolicyStatement[], changes: readonly Change[]): string[] {
  const isNew = changes.some(({ added }) => added.some((each) => (each as PolicyDocument).Version !== undefined))
  return others
    .filter((each) => isNew && hasVariable(each))
    .map((each) => `in the policy's new Version, the \${…} in the statement ${named(each)} is a variable`)
}

/** Origins are only added. */
function ofOrigins({ corsRules = [] }: BucketState, { origins }: Wanted): string[] {
  if (origins === undefined || origins.includes('*')) return []
  const open = corsRules.find(({ AllowedOrigins = [] }) => AllowedOrigins.includes('*'))
  if (open)
    return [`the CORS rule ${open.ID ?? 'without an ID'} allows every origin already: --origin does not limit it`]
  const ours = corsRules.find(({ ID }) => ID === corsRule().ID)
  const more = ours?.AllowedOrigins?.filter((each) => !origins.includes(each)) ?? []
  if (more.length === 0) return []
  return [`the CORS rule ${ours?.ID} also allows ${more.join(', ')}: --origin only adds`]
}

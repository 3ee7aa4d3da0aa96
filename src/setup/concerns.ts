import type { PolicyNames } from '../policy/names.js'
import { bucketArn, sidOf } from '../policy/names.js'
import type { BucketState, Change } from './changes.js'
import { isForAll, opensToAll } from './statements.js'

/** What the user should know before the changes: sentences. */
export function concernsOf(
  { policy, ownership }: BucketState,
  changes: readonly Change[],
  names: PolicyNames,
): string[] {
  const { bucket, location, endpoint } = names
  const arn = bucketArn(names)
  const ours = sidOf('', '')
  const others = [policy?.Statement ?? []].flat().filter(({ Sid = '' }) => !Sid.startsWith(ours))
  const named = (each: (typeof others)[number]) => each.Sid ?? JSON.stringify(each)
  const concerns: string[] = []
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
      `without the public access block, statements of others let everybody in too: ${opened.map(named).join(', ')}`,
    )
  }
  if (ownership !== undefined && changes.some(({ part }) => part === 'ownership')) {
    concerns.push(
      'objects that are public by an ACL alone become private. To keep ACLs, set AWS_DEFAULT_ACL before the setup',
    )
  }
  return concerns
}

import type { PolicyStatement } from '../bucket/configuration.js'

// Questions about the statements of a bucket's policy. Each answers for the worst case: it reads no conditions but those named.

/** True if two statements say the same. S3 may return one value for a list of one, and fields in another order. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b))
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 1 ? plain(value[0]) : value.map(plain).sort()
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, each]) => [name, plain(each)]))
}

/** True if a foreign statement allows at least what `wanted`, a statement of ours, allows. */
export function allowsAsMuch(there: PolicyStatement, wanted: PolicyStatement): boolean {
  const { Resource, NotResource } = wanted
  return (
    there.Effect === 'Allow' &&
    wanted.Effect === 'Allow' &&
    isSame(principalOf(there), principalOf(wanted)) &&
    listOf(wanted.Action).every((action) => covers(there.Action, action, 'i')) &&
    (Resource === undefined
      ? isSame(there.NotResource, NotResource)
      : listOf(Resource).every((each) => covers(there.Resource, each))) &&
    (there.Condition === undefined || isSame(there.Condition, wanted.Condition))
  )
}

/** True if the statement lets everybody do this, without a condition. */
export function opensToAll(statement: PolicyStatement, action: string, resource: string): boolean {
  return isForAll(statement) && reaches(statement, action, resource)
}

/** True if the statement allows something to everybody, without a condition. */
export function isForAll(statement: PolicyStatement): boolean {
  return namesEverybody(statement) && statement.Condition === undefined
}

/** True if the statement allows something to everybody, maybe on a condition: AWS may count it as public. */
export function namesEverybody(statement: PolicyStatement): boolean {
  return statement.Effect === 'Allow' && principalOf(statement) === '*'
}

/** True if the statement lets CloudFront read these objects, whatever its conditions. */
export function opensToCloudFront(statement: PolicyStatement, resource: string): boolean {
  const { Service } = Object(statement.Principal) as { Service?: string | string[] }
  const isCloudFront = listOf(Service).some((each) => each.startsWith('cloudfront.'))
  return statement.Effect === 'Allow' && isCloudFront && reaches(statement, 's3:GetObject', resource)
}

/** True if the statement lets named users, roles or accounts write these objects, whatever its conditions. */
export function letsUsersWrite(statement: PolicyStatement, resource: string): boolean {
  const { AWS } = Object(statement.Principal) as { AWS?: string | string[] }
  return statement.Effect === 'Allow' && AWS !== undefined && reaches(statement, 's3:PutObject', resource)
}

/** True if the statement has a `${…}`. */
export function hasVariable(statement: PolicyStatement): boolean {
  return JSON.stringify(statement).includes('${')
}

/** True if the statement is about this action on these objects. */
function reaches({ Action, NotAction, Resource, NotResource }: PolicyStatement, action: string, resource: string) {
  return (
    (NotAction === undefined ? covers(Action, action, 'i') : !covers(NotAction, action, 'i')) &&
    (NotResource === undefined ? covers(Resource, resource) : !covers(NotResource, resource))
  )
}

function principalOf({ Principal, NotPrincipal }: PolicyStatement): unknown {
  if (NotPrincipal !== undefined) return '*'
  const named = (Principal as { AWS?: unknown } | undefined)?.AWS
  return listOf(named).includes('*') ? '*' : Principal
}

/** True if one of the patterns matches everything that `wanted`, a name or a pattern, matches. */
function covers(patterns: string | string[] | undefined, wanted: string, flags = ''): boolean {
  return listOf(patterns).some((pattern) => {
    const source = pattern.replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`, flags).test(wanted)
  })
}

function listOf<T>(value: T | T[] | undefined): T[] {
  return value === undefined ? [] : ([value].flat() as T[])
}

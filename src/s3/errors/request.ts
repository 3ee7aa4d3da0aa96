import type { ObjectParameters } from '../../bucket/bucket.js'

/** What was being asked of S3 when it failed. */
export type Request =
  | { verb: 'LIST'; prefix: string }
  | { verb: 'GET' | 'HEAD'; key: string }
  | { verb: 'PUT'; key: string; parameters: ObjectParameters }
  | { verb: 'COPY'; from: string; key: string; parameters: ObjectParameters }
  | { verb: 'CREDENTIALS' }

/** Sends a request in its turn, more than once where that helps. */
export type Call = <T>(
  request: Request,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
  bodyBytes?: number,
) => Promise<T>

export interface ExplainContext {
  request: Request
  bucket: string
  region: string
  /** Undefined for AWS. */
  endpoint: string | undefined
  /** The profile that the credentials come from, where one was named. */
  profile: string | undefined
  /** How often the request was sent. */
  attempts: number
  /** Credentials in use, so that no text of S3's can repeat them. */
  secrets: readonly string[]
}

/** `PUT static/app.js to s3://bucket` */
export function describeRequest({ request, bucket }: ExplainContext): string {
  const there = `s3://${bucket}`
  switch (request.verb) {
    case 'LIST':
      return `LIST ${there}/${request.prefix}`
    case 'GET':
    case 'HEAD':
      return `${request.verb} ${there}/${request.key}`
    case 'PUT':
      return `PUT ${request.key} to ${there}`
    case 'COPY':
      return request.from === request.key
        ? `new headers for ${request.key} in ${there}`
        : `COPY ${request.from} to ${request.key} in ${there}`
    case 'CREDENTIALS':
      return `signing in for ${there}`
  }
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
export function permissionsOf(context: ExplainContext): string {
  const { verb } = context.request
  const actions =
    verb === 'LIST'
      ? ['s3:ListBucket']
      : verb === 'GET' || verb === 'HEAD'
        ? ['s3:GetObject']
        : verb === 'COPY'
          ? ['s3:GetObject', 's3:PutObject']
          : ['s3:PutObject']
  const parameters = parametersOf(context)
  if (hasAcl(parameters)) actions.push('s3:PutObjectAcl')
  if (parameters.Tagging !== undefined) actions.push('s3:PutObjectTagging')
  return `${actions.join(' and ')} on ${resourceOf(context)}`
}

/** The resource as a policy names it: the bucket for a listing, else everything below the key's first folder. */
export function resourceOf({ request, bucket, region }: ExplainContext): string {
  const partition = region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'
  const arn = `arn:${partition}:s3:::${bucket}`
  if (request.verb === 'LIST' || request.verb === 'CREDENTIALS') return arn
  const { key } = request
  return `${arn}/${key.includes('/') ? key.slice(0, key.indexOf('/') + 1) : ''}*`
}

/** Parameters that the request was sent with; none for one that takes none. */
export function parametersOf({ request }: ExplainContext): ObjectParameters {
  return 'parameters' in request ? request.parameters : {}
}

/** Whether the parameters have an ACL of any kind. */
export function hasAcl(parameters: ObjectParameters): boolean {
  return Object.keys(parameters).some((name) => name === 'ACL' || name.startsWith('Grant'))
}

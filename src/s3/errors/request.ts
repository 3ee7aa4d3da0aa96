import type { ObjectParameters } from '../../bucket/bucket.js'
import { awsPartition } from '../../urls/public-url.js'

export type Request =
  | { verb: 'LIST'; prefix: string }
  | { verb: 'GET' | 'HEAD' | 'DELETE' | 'TAG'; key: string }
  | { verb: 'PUT'; key: string; parameters: ObjectParameters }
  | { verb: 'COPY'; from: string; key: string; parameters: ObjectParameters }
  | { verb: 'CREDENTIALS' }
  | { verb: 'CONFIGURATION'; operation: string; action: string }
  | { verb: 'INVALIDATE'; operation: 'CreateInvalidation' | 'GetInvalidation'; distribution: string }

export interface ExplainContext {
  request: Request
  bucket: string
  region: string
  /** Undefined for AWS. */
  endpoint: string | undefined
  /** Of the credentials; undefined if the settings name none. */
  profile: string | undefined
  /** How often the request was sent. */
  attempts: number
  /** Credentials in use, to redact. */
  secrets: readonly string[]
}

/** `PUT static/app.js to s3://bucket`, `PutBucketPolicy of s3://bucket` */
export function describeRequest({ request, bucket }: ExplainContext): string {
  const there = `s3://${bucket}`
  if (request.verb === 'LIST') return `LIST ${there}/${request.prefix}`
  if (request.verb === 'CREDENTIALS') return `signing in for ${there}`
  if (request.verb === 'INVALIDATE') return `${request.operation} of ${request.distribution}`
  if (request.verb === 'CONFIGURATION') return `${request.operation} of ${there}`
  if (request.verb === 'PUT') return `PUT ${request.key} to ${there}`
  if (request.verb !== 'COPY') return `${request.verb} ${there}/${request.key}`
  const isInPlace = request.from === request.key
  return `${isInPlace ? 'new headers for' : `COPY ${request.from} to`} ${request.key} in ${there}`
}

const ACTIONS = {
  LIST: 's3:ListBucket',
  GET: 's3:GetObject',
  HEAD: 's3:GetObject',
  PUT: 's3:PutObject',
  COPY: 's3:GetObject and s3:PutObject',
  DELETE: 's3:DeleteObject',
  TAG: 's3:GetObjectTagging and s3:PutObjectTagging',
  CREDENTIALS: 's3:PutObject',
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html */
export function permissionsOf(context: ExplainContext): string {
  const parameters = sentParameters(context)
  const acl = hasAcl(parameters) ? ' and s3:PutObjectAcl' : ''
  const tagging = parameters.Tagging === undefined ? '' : ' and s3:PutObjectTagging'
  const { request } = context
  return `${actionOf(request)}${acl}${tagging} on ${resourceOf(context)}`
}

function actionOf(request: Request): string {
  if (request.verb === 'CONFIGURATION') return `s3:${request.action}`
  return request.verb === 'INVALIDATE' ? `cloudfront:${request.operation}` : ACTIONS[request.verb]
}

/** The resource as a policy names it: the bucket for a listing, otherwise everything below the key's first folder. */
export function resourceOf({ request, bucket, region }: ExplainContext): string {
  const partition = awsPartition(region)
  if (request.verb === 'INVALIDATE') return `arn:${partition}:cloudfront::*:distribution/${request.distribution}`
  const arn = `arn:${partition}:s3:::${bucket}`
  return 'key' in request ? `${arn}/${/^[^/]*\//.exec(request.key)?.[0] ?? ''}*` : arn
}

/** A statement that allows the listings of a location and of its records. */
export function listPolicy(context: ExplainContext): string {
  const { request } = context
  const [, location = ''] =
    /^(?:\.static-s3\/)?(.*?)(?:releases\/)?$/.exec('prefix' in request ? request.prefix : '') ?? []
  const prefixes = [`${location}*`, `.static-s3/${location}*`]
  return JSON.stringify({
    Effect: 'Allow',
    Action: 's3:ListBucket',
    Resource: resourceOf(context),
    Condition: { StringLike: { 's3:prefix': prefixes } },
  })
}

export function sentParameters({ request }: ExplainContext): ObjectParameters {
  return 'parameters' in request ? request.parameters : {}
}

/** True for an ACL of any kind. */
export function hasAcl(parameters: ObjectParameters): boolean {
  return Object.keys(parameters).some((name) => name === 'ACL' || name.startsWith('Grant'))
}

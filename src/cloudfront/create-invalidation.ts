import { StaticS3Error } from '../runtime/error.js'
import { awsPartition } from '../urls/public-url.js'

/** A distribution, and the API that manages it. */
export interface Target {
  distribution: string
  /** The bucket's region. */
  region: string
  /** Undefined for AWS's own endpoint. */
  endpoint: string | undefined
}

/**
 * @param paths of `invalidationPaths`: they need no escaping in XML
 * @param reference the same for each attempt: CloudFront creates one invalidation for it
 * @see https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
 */
export function invalidationRequest(target: Target, paths: readonly string[], reference: string) {
  const items = paths.map((path) => `<Path>${path}</Path>`).join('')
  const batch = [
    `<Paths><Quantity>${paths.length}</Quantity><Items>${items}</Items></Paths>`,
    `<CallerReference>${reference}</CallerReference>`,
  ]
  const xmlns = 'http://cloudfront.amazonaws.com/doc/2020-05-31/'
  return {
    ...callTo(target, ''),
    method: 'POST' as const,
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<InvalidationBatch xmlns="${xmlns}">${batch.join('')}</InvalidationBatch>`),
  }
}

/** @see https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetInvalidation.html */
export function statusRequest(target: Target, id: string) {
  return { ...callTo(target, `/${id}`), method: 'GET' as const, headers: {} }
}

function callTo({ distribution, region, endpoint }: Target, path: string) {
  const home = homeOf(region)
  const root = (endpoint ?? `https://${home.host}`).replace(/\/+$/, '')
  const url = new URL(`${root}/2020-05-31/distribution/${distribution}/invalidation${path}`)
  return { service: 'cloudfront', region: home.region, url }
}

/** @see https://docs.aws.amazon.com/general/latest/gr/cf_region.html */
function homeOf(region: string): { region: string; host: string } {
  return awsPartition(region) === 'aws-cn'
    ? { region: 'cn-northwest-1', host: 'cloudfront.cn-northwest-1.amazonaws.com.cn' }
    : { region: 'us-east-1', host: 'cloudfront.amazonaws.com' }
}

/** The ID of an invalidation, and whether CloudFront has completed it. */
export function readInvalidation(response: string): { id: string; isComplete: boolean } {
  const id = /<Id>(\w+)<\/Id>/.exec(response)?.[1]
  if (id === undefined) throw new StaticS3Error("static-s3: the response is not CloudFront's: check the proxy")
  return { id, isComplete: response.includes('<Status>Completed</Status>') }
}

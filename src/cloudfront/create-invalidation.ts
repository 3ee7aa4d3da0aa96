import { StaticS3Error } from '../runtime/error.js'
import { awsPartition } from '../urls/public-url.js'

export interface InvalidationInput {
  distribution: string
  /** Of `invalidationPaths`: they need no escaping in XML. */
  paths: readonly string[]
  /** The same for each attempt: CloudFront creates one invalidation for it. */
  reference: string
  /** The bucket's. */
  region: string
  /** Undefined for AWS's own. */
  endpoint: string | undefined
}

/** @see https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html */
export function invalidationRequest({ distribution, paths, reference, region, endpoint }: InvalidationInput) {
  const home = homeOf(region)
  const items = paths.map((path) => `<Path>${path}</Path>`).join('')
  const batch = [
    `<Paths><Quantity>${paths.length}</Quantity><Items>${items}</Items></Paths>`,
    `<CallerReference>${reference}</CallerReference>`,
  ]
  const xmlns = 'http://cloudfront.amazonaws.com/doc/2020-05-31/'
  const root = (endpoint ?? `https://${home.host}`).replace(/\/+$/, '')
  return {
    service: 'cloudfront',
    region: home.region,
    method: 'POST' as const,
    url: new URL(`${root}/2020-05-31/distribution/${distribution}/invalidation`),
    headers: { 'content-type': 'application/xml' },
    body: Buffer.from(`<InvalidationBatch xmlns="${xmlns}">${batch.join('')}</InvalidationBatch>`),
  }
}

/** @see https://docs.aws.amazon.com/general/latest/gr/cf_region.html */
function homeOf(region: string): { region: string; host: string } {
  return awsPartition(region) === 'aws-cn'
    ? { region: 'cn-northwest-1', host: 'cloudfront.cn-northwest-1.amazonaws.com.cn' }
    : { region: 'us-east-1', host: 'cloudfront.amazonaws.com' }
}

/** The ID of the invalidation that CloudFront has created. */
export function invalidationId(response: string): string {
  const id = /<Id>(\w+)<\/Id>/.exec(response)?.[1]
  if (id === undefined) throw new StaticS3Error("static-s3: the response is not CloudFront's: check the proxy")
  return id
}

import type { PolicyDocument } from '../bucket/configuration.js'
import { bucketPolicy, type Readers } from './bucket.js'
import type { DeployRights } from './iam.js'
import { deployPolicy } from './iam.js'
import type { PolicyNames } from './names.js'
import { type TrustedJobs, trustPolicy } from './trust.js'

/** A private bucket behind CloudFront, and the rights to deploy to it. */
export interface TemplateInput extends Pick<Readers, 'immutable'> {
  names: PolicyNames
  rights: DeployRights
  /** The CI jobs that get the rights by a role. Without any, the template has a policy to attach to a user, a role or a group. */
  jobs: TrustedJobs
  /** The origins of the pages. */
  origins: readonly string[]
  /** A domain and the ARN of its certificate, instead of CloudFront's own domain. */
  domain: { name: string; certificate: string } | undefined
}

/** The documents of a template, with what the template's own language puts into them. */
export interface TemplateDocuments {
  bucket: PolicyDocument
  deploy: PolicyDocument
  trust: PolicyDocument | undefined
}

export function templateDocuments(
  { names, rights, jobs, immutable }: TemplateInput,
  { distribution, account }: { distribution: string; account: string },
): TemplateDocuments {
  const trust = trustPolicy(names.region, account, jobs)
  return {
    bucket: bucketPolicy(names, { distribution, ...(immutable ? { immutable } : {}) }),
    deploy: deployPolicy(names, rights),
    trust: trust.Statement.length > 0 ? trust : undefined,
  }
}

/** Seconds. An object without Cache-Control is revalidated, and one with it is cached for as long as it says. */
export const cacheTimes = { minimum: 0, default: 0, maximum: 31_536_000 }

/** A name for CloudFront's resources, which are global: the bucket's, and the location's. Letters, digits and hyphens, at most 64 of them. */
export function templateName({ bucket, location }: PolicyNames): string {
  return `static-s3-${bucket}-${location}`
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/-$/, '')
    .slice(0, 64)
}

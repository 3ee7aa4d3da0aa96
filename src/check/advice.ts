import { blockCommand, cloudFrontPolicy, corsCommand, publicReadCommand } from '../policy/commands.js'
import { locationSetting, ofAllPreviews, type PolicyNames } from '../policy/names.js'
import type { BucketAddress } from '../urls/public-url.js'
import type { AllowedOrigins } from './page-origin.js'

import type { Problem } from './problems.js'

export type Address = BucketAddress & Pick<PolicyNames, 'preview'>

export interface Findings {
  problems: readonly Problem[]
  /** The URL of a lock or record that everybody can read. */
  publicRecord: string | undefined
  allowed: AllowedOrigins
}

/** The visitors' problems, and remedies to paste. */
export function advise({ problems, publicRecord, allowed }: Findings, address: Address): string {
  const title = problems.length > 0 ? "visitors can't use this release:" : 'visitors can read more than this release:'
  const findings = problems.map((problem) => `  - ${sentenceOf(problem, allowed)}`)
  if (publicRecord !== undefined) {
    findings.push(`  - everybody can read who deployed, when, and from which commit: ${publicRecord}`)
  }
  return [
    title,
    ...findings,
    ...remediesOf(problems, publicRecord !== undefined, allowed, address).map((remedy) => `\n${remedy}`),
  ].join('\n')
}

/** Policies, rules and settings to paste. */
export function remediesOf(
  problems: readonly Problem[],
  recordIsPublic: boolean,
  allowed: AllowedOrigins,
  visited: Address,
): string[] {
  const address = ofAllPreviews(visited)
  const isForbidden = problems.some((problem) => problem.kind === 'status' && [401, 403].includes(problem.status))
  const isMissing = problems.some(({ kind }) => kind === 'status') && !isForbidden
  return [
    ...(isForbidden || recordIsPublic ? readRemedy(isForbidden, address) : []),
    ...(isMissing ? domainRemedy(address) : []),
    ...(problems.some(({ kind }) => kind === 'cors') ? corsRemedy(allowed, address) : []),
  ]
}

export function sentenceOf(problem: Problem, allowed: AllowedOrigins): string {
  const { kind, url } = problem
  if (kind === 'status') return `status ${problem.status}${problem.code ? ` (${problem.code})` : ''}: ${url}`
  if (kind === 'bytes') {
    const what = problem.contentType.includes('html') ? 'a web page' : 'other bytes than were uploaded'
    return `${what} (another server, an old file in a cache, or a proxy that changes files): ${url}`
  }
  if (kind === 'type') {
    return `Content-Type "${problem.contentType}" instead of "${problem.uploaded}", so browsers refuse it: ${url}`
  }
  return corsSentence(problem, allowed)
}

const refused = 'so browsers refuse scripts, styles and fonts to pages of another origin'

function corsSentence({ url, allows }: Problem & { kind: 'cors' }, allowed: AllowedOrigins): string {
  if (allows?.includes(',')) return `Access-Control-Allow-Origin "${allows}", which two servers set: ${url}`
  if (allows !== undefined) return `Access-Control-Allow-Origin "${allows}", ${refused}: ${url}`
  if (allowed?.length === 0) return `no CORS rules in the bucket, ${refused}`
  if (allowed) return `no Access-Control-Allow-Origin, although the bucket has CORS rules, ${refused}: ${url}`
  const hint = 'static-s3 tries the origin of your CORS rules if it may read them (s3:GetBucketCORS)'
  return `no Access-Control-Allow-Origin for an unknown origin, ${refused}; ${hint}: ${url}`
}

function readRemedy(isForbidden: boolean, address: Address): string[] {
  const { bucket, location, customDomain, endpoint } = address
  const what = location === '' ? `s3://${bucket}, except the records` : `s3://${bucket}/${location}/ alone`
  if (customDomain === undefined) {
    const unblock = isForbidden && endpoint === undefined ? `${blockCommand(address)}\n` : ''
    return [
      `${setupCommand(address)}\n\nOr by hand, to let everybody read ${what} (replaces the bucket's policy):\n\n${unblock}${publicReadCommand(address)}`,
    ]
  }
  if (endpoint !== undefined) return [`Let ${customDomain} read ${what}.`]
  return [
    `To let CloudFront read ${what}, with origin access control, as the bucket's policy:\n\n${cloudFrontPolicy(address)}`,
  ]
}

/** It keeps the statements and rules of others. */
function setupCommand(address: Address): string {
  const location = locationSetting(address)
  const quoted = /^[\w.~/-]+$/.test(location) ? location : `'${location}'`
  const flag = location === 'static' ? '' : ` --location ${quoted}`
  return `npx static-s3 setup${flag}`
}

function domainRemedy({ bucket, customDomain }: BucketAddress): string[] {
  return customDomain === undefined ? [] : [`Let ${customDomain} serve s3://${bucket} from the bucket's root.`]
}

function corsRemedy(allowed: AllowedOrigins, address: Address): string[] {
  const { customDomain } = address
  const rules = `${setupCommand(address)}\n\nOr by hand, to let pages of every origin use the files (replaces the bucket's CORS rules):\n\n${corsCommand(address)}`
  const domain =
    `Let ${customDomain} pass on the header Origin and the CORS headers of the response (CloudFront: the origin request ` +
    'policy CORS-S3Origin). Then invalidate its cache.'
  return [...(allowed?.length ? [] : [rules]), ...(customDomain === undefined ? [] : [domain])]
}

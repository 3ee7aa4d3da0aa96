import type { PolicyDocument } from '../bucket/configuration.js'
import { awsPartition } from '../urls/public-url.js'

/** CI jobs that may become a role: `OWNER/REPO:ENVIRONMENT`, `GROUP/PROJECT:BRANCH`. */
export interface TrustedJobs {
  github?: readonly string[]
  gitlab?: readonly string[]
}

interface Issuer {
  host: string
  audience(region: string): string
  subject(job: string): string
}

const issuers: Record<keyof TrustedJobs, Issuer> = {
  /** @see https://docs.github.com/en/actions/reference/security/oidc */
  github: {
    host: 'token.actions.githubusercontent.com',
    // The default of aws-actions/configure-aws-credentials, and what it advises for China.
    audience: (region) => (region.startsWith('cn-') ? 'sts.amazonaws.com.cn' : 'sts.amazonaws.com'),
    subject(job) {
      const [repository, which = 'refs/heads/main'] = split(job)
      return `repo:${repository}:${which.startsWith('refs/') ? `ref:${which}` : `environment:${which}`}`
    },
  },
  /** @see https://docs.gitlab.com/ci/cloud_services/aws/ */
  gitlab: {
    host: 'gitlab.com',
    audience: () => 'https://gitlab.com',
    subject(job) {
      const [project, branch = 'main'] = split(job)
      return `project_path:${project}:ref_type:branch:ref:${branch}`
    },
  },
}

/** Lets these CI jobs, and no others, become the role that has this as its trust policy. The account is the role's own. */
export function trustPolicy(region: string, account: string, jobs: TrustedJobs): PolicyDocument {
  const statements = Object.entries(issuers).flatMap(([name, { host, audience, subject }]) => {
    const trusted = jobs[name as keyof TrustedJobs] ?? []
    if (trusted.length === 0) return []
    const provider = `arn:${awsPartition(region)}:iam::${account}:oidc-provider/${host}`
    return {
      Sid: name === 'github' ? 'StaticS3TrustGitHub' : 'StaticS3TrustGitLab',
      Effect: 'Allow' as const,
      Principal: { Federated: provider },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: { StringEquals: { [`${host}:aud`]: audience(region), [`${host}:sub`]: trusted.map(subject) } },
    }
  })
  return { Version: '2012-10-17', Statement: statements }
}

/** True for names that contain nothing a policy reads as a pattern. */
export function isJob(job: string): boolean {
  return /^[\w.@-]+(\/[\w.@-]+)+(:[\w./ @+-]+)?$/.test(job)
}

function split(job: string): [name: string, rest: string | undefined] {
  const at = job.indexOf(':')
  return at < 0 ? [job, undefined] : [job.slice(0, at), job.slice(at + 1)]
}

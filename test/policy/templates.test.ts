import { RegoEngine } from '@aws/cloudformation-validate'
import { parse } from '@cdktn/hcl2json'
import { describe, expect, it } from 'vitest'
import { bucketPolicy } from '../../src/policy/bucket.js'
import { cloudFormationTemplate } from '../../src/policy/cloudformation.js'
import { contentSecurityPolicy } from '../../src/policy/csp.js'
import { deployPolicy } from '../../src/policy/iam.js'
import type { TemplateInput } from '../../src/policy/template.js'
import { terraformConfiguration } from '../../src/policy/terraform.js'
import { trustPolicy } from '../../src/policy/trust.js'

const names = { bucket: 'my-bucket', location: 'static', region: 'eu-central-1', endpoint: undefined }
const input: TemplateInput = {
  ...{ names, rights: {}, jobs: { github: ['o/r'] }, origins: ['https://a.example'], domain: undefined },
}
const domain = { name: 'cdn.example.com', certificate: 'arn:aws:acm:us-east-1:123456789012:certificate/a' }

interface Template {
  Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>
  Outputs: Record<string, { Description: string; Value: unknown }>
}

const gitLab: TemplateInput = { ...input, domain, jobs: { gitlab: ['g/p'] }, immutable: ['assets/*'] }
const noJobs: TemplateInput = { ...input, jobs: {}, rights: { prune: true } }

/** The partitions in the ARNs of a text. */
const partitionsIn = (text: string) => new Set([...text.matchAll(/"arn:([^:]+):/g)].map(([, partition]) => partition))

describe('the CloudFormation template', () => {
  const template = cloudFormationTemplate(input) as Template

  it("has no fault that AWS's own validator finds", () => {
    const engine = new RegoEngine()
    const diagnosticsOf = (object: object) =>
      engine.validateStandard({ path: 'template.json', readBytes: () => Buffer.from(JSON.stringify(object)) })
        .diagnostics
    const faultsIn = (object: object) =>
      // I3042: a partition by name. Others are hints, such as to tags.
      diagnosticsOf(object).filter(({ severity, ruleId }) => severity !== 'INFO' || ruleId === 'I3042')
    for (const each of [gitLab, noJobs]) expect(faultsIn(cloudFormationTemplate(each))).toEqual([])
    const text = JSON.stringify(template)
    expect(faultsIn(JSON.parse(text.replace('{"Ref":"CachePolicy"}', '{"Ref":"Other"}')))).toHaveLength(1)
    engine.free()
    expect(text).not.toMatch(/"(DISTRIBUTION|ACCOUNT)"|:ACCOUNT:/)
  })

  it.each([
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
  ])('has the ARNs of the partition of %s', (region, partition) => {
    const text = JSON.stringify(cloudFormationTemplate({ ...input, names: { ...names, region } }))
    expect(partitionsIn(text)).toEqual(new Set([partition, '${AWS']))
    expect(partitionsIn(terraformConfiguration({ ...input, names: { ...names, region } }))).toEqual(
      new Set([partition]),
    )
  })

  it('has the documents of the other policies', () => {
    const { BucketPolicy, DeployRole } = template.Resources
    expect(DeployRole?.Properties.Policies).toMatchObject([{ PolicyDocument: deployPolicy(names) }])
    const filledIn = JSON.stringify(BucketPolicy?.Properties.PolicyDocument).replace(/\{"Fn::Sub":"[^"]+"\}/, '"ARN"')
    expect(JSON.parse(filledIn)).toEqual(bucketPolicy(names, { distribution: 'ARN' }))
  })

  it('with a domain uses its certificate; without CI jobs it has a policy to attach', () => {
    const other = cloudFormationTemplate({ ...input, domain, jobs: {} }) as Template
    expect(other.Resources.Distribution?.Properties.DistributionConfig).toMatchObject({
      ...{ Aliases: ['cdn.example.com'], ViewerCertificate: { AcmCertificateArn: domain.certificate } },
    })
    expect(other.Outputs.Domain?.Value).toBe('cdn.example.com')
    expect(other.Resources.DeployPolicy?.Type).toBe('AWS::IAM::ManagedPolicy')
    expect(other.Resources.DeployRole).toBeUndefined()
  })
})

describe('the Terraform configuration', () => {
  const strings = (value: unknown): string[] =>
    typeof value === 'object' && value !== null ? Object.values(value).flatMap(strings) : [String(value)]

  it("is read by Terraform's own parser, and refers to its own resources alone", async () => {
    for (const each of [input, gitLab, noJobs]) {
      const { resource, data, output } = await parse('static-s3.tf', terraformConfiguration(each))
      const declared = Object.entries(resource).flatMap(([type, named]) =>
        Object.keys(named as object).map((name) => `${type}.${name}`),
      )
      const texts = strings({ resource, output }).filter((text) => text.startsWith('${'))
      const referred = texts.flatMap((text) =>
        [...text.matchAll(/(?<![\w."])(aws_\w+\.\w+)\./g)].map(([, name]) => name),
      )
      expect(referred.length).toBeGreaterThan(6)
      expect(referred.filter((name) => !declared.includes(name as string))).toEqual([])
      expect(data).toEqual({ aws_caller_identity: { current: [{}] } })
    }
  })

  it('has the documents of the other policies', async () => {
    const { resource } = await parse('static-s3.tf', terraformConfiguration(gitLab))
    const documentIn = (expression: string) =>
      JSON.parse(
        expression
          .replace(/^\$\{jsonencode\((.*)\)\}$/s, '$1')
          .replace('aws_cloudfront_distribution.static.arn', '"ARN"')
          // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's variable
          .replace('${data.aws_caller_identity.current.account_id}', '123456789012')
          .replaceAll('$${', '${'),
      )
    const { aws_s3_bucket_policy, aws_iam_role_policy, aws_iam_role } = resource
    const bucket = bucketPolicy(names, { distribution: 'ARN', immutable: ['assets/*'] })
    expect(documentIn(aws_s3_bucket_policy.static[0].policy)).toEqual(bucket)
    expect(documentIn(aws_iam_role_policy.deploy[0].policy)).toEqual(deployPolicy(names))
    const trust = trustPolicy(names.region, '123456789012', gitLab.jobs)
    expect(documentIn(aws_iam_role.deploy[0].assume_role_policy)).toEqual(trust)
  })
})

describe('a Content-Security-Policy', () => {
  const url = 'https://cdn.example.com/static/'

  it('names what the files need, and no more', () => {
    expect(
      contentSecurityPolicy(
        [
          { path: 'index.html', text: '' },
          { path: 'a.js', text: '' },
        ],
        url,
      ),
    ).toBe(`default-src 'self'; script-src 'self' ${url}; object-src 'none'; base-uri 'self'`)
    const all = ['a.css', 'a.png', 'a.woff2', 'a.mp4', 'site.webmanifest', 'a.wasm'].map((path) => ({ path }))
    const worker = { path: 'a.js', text: 'self.__staticS3Workers' }
    const policy = contentSecurityPolicy([...all, worker], url)
    for (const name of ['style', 'img', 'font', 'media', 'manifest', 'connect'])
      expect(policy).toContain(`${name}-src 'self' ${url}`)
    expect(policy).toContain(`script-src 'self' ${url} 'wasm-unsafe-eval'`)
    expect(policy).toContain("worker-src 'self' blob:")
    const watching = { path: 'a.js', text: "new URL('release.json#static-s3', url)" }
    expect(contentSecurityPolicy([watching], url)).toContain(`connect-src 'self' ${url}`)
  })

  it('has the hashes of inline scripts and styles, unless scripts insert styles', () => {
    const page = { path: 'index.html', text: '<style>a{}</style><script>alert(1)</script><script src="a.js"></script>' }
    const policy = contentSecurityPolicy([page], url)
    // echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
    expect(policy).toContain(`script-src 'self' ${url} 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='`)
    expect(policy).toMatch(/style-src [^;]*'sha256-/)
    const inserted = { path: 'a.js', text: 'document.createElement("style")' }
    expect(contentSecurityPolicy([page, inserted], url)).toMatch(/style-src [^;]* 'unsafe-inline'(;|$)/)
  })
})

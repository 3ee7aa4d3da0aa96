import { describe, expect, it } from 'vitest'
import { bucketPolicy } from '../../src/policy/bucket.js'
import { cloudFormationTemplate } from '../../src/policy/cloudformation.js'
import { contentSecurityPolicy } from '../../src/policy/csp.js'
import { deployPolicy } from '../../src/policy/iam.js'
import type { TemplateInput } from '../../src/policy/template.js'
import { terraformConfiguration } from '../../src/policy/terraform.js'

const names = { bucket: 'my-bucket', location: 'static', region: 'eu-central-1', endpoint: undefined }
const input: TemplateInput = {
  ...{ names, rights: {}, jobs: { github: ['o/r'] }, origins: ['https://a.example'], domain: undefined },
}
const domain = { name: 'cdn.example.com', certificate: 'arn:aws:acm:us-east-1:123456789012:certificate/a' }

interface Template {
  Resources: Record<string, { Type: string; Properties: Record<string, unknown> }>
  Outputs: Record<string, { Description: string; Value: unknown }>
}

describe('the CloudFormation template', () => {
  const template = cloudFormationTemplate(input) as Template
  const text = JSON.stringify(template)

  it('refers to its own resources and to pseudo parameters alone', () => {
    const references = [...text.matchAll(/"(?:Ref|Fn::GetAtt)":(?:"|\[")([^"]+)|(?<="Fn::Sub":"[^"]*)\$\{([^}]+)\}/g)]
    const named = new Set(references.map(([, ref, sub]) => ref ?? (sub as string)))
    expect(named.size).toBeGreaterThan(6)
    expect([...named].filter((name) => !name.startsWith('AWS::') && !(name in template.Resources))).toEqual([])
    expect(text).not.toMatch(/"(DISTRIBUTION|ACCOUNT)"|:ACCOUNT:/)
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
  it('refers to its own resources alone, and keeps the variables of policies', () => {
    for (const text of [terraformConfiguration(input), terraformConfiguration({ ...input, domain, jobs: {} })]) {
      const declared = new Set(
        [...text.matchAll(/^resource "(\w+)" "(\w+)"/gm)].map(([, type, name]) => `${type}.${name}`),
      )
      const referred = [...text.matchAll(/(?<![\w."])(aws_\w+\.\w+)\./g)].map(([, name = '']) => name)
      expect(referred.length).toBeGreaterThan(6)
      expect(referred.filter((name) => !declared.has(name))).toEqual([])
      expect(text).toContain('"$${aws:ResourceAccount}"')
      expect(text).not.toContain('@')
      expect(text.split('{').length).toBe(text.split('}').length)
    }
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

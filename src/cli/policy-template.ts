import {
  awsPartition,
  cloudFormationTemplate,
  isJob,
  parametersOf,
  type TemplateInput,
  terraformConfiguration,
} from '../deploy/commands/policy.js'
import type { Settings } from '../settings/settings.js'
import { globsOf, many, onlyOnAws, originsOf, printDocument, switched, text } from './policy-flags.js'
import { addressFlags, addressHelp, settingsOf } from './settings.js'
import { type Command, commandOf, Usage } from './usage.js'

const content = `a private bucket, a CloudFront distribution that alone may read its location, CORS headers, compression and HTTP/3,
and the rights to deploy. Its outputs are the variables to set.

  --github OWNER/REPO[:refs/heads/BRANCH|:ENVIRONMENT], --gitlab GROUP/PROJECT[:BRANCH]
                      adds a role for these CI jobs, as in static-s3 policy oidc, instead of a policy to attach to a
                      user, a role or a group; repeatable
  --origin URL        CORS for pages of this origin only; repeatable
  --prune             adds the right to delete objects
  --immutable GLOB    nobody may overwrite these files, as in static-s3 policy bucket; repeatable
  --certificate ARN   the custom domain's certificate in us-east-1; by default, visitors use CloudFront's domain
${addressHelp}`

const template = (name: string, summary: string, intro: string, print: (input: TemplateInput) => void): Command =>
  commandOf({
    words: '',
    summary,
    help: `static-s3 policy ${name}\n\n${intro}\n${content}`,
    flags: {
      ...addressFlags,
      ...{ github: many, gitlab: many, origin: many, prune: switched, immutable: many, certificate: text },
    },
    async run(
      { github = [], gitlab = [], origin = ['*'], prune = false, immutable = [], certificate, ...named },
      words,
    ) {
      if (words.length > 0) throw new Usage(`policy ${name} takes flags only: remove ${words.join(' ')}`)
      const wrong = [...github, ...gitlab].find((job) => !isJob(job))
      if (wrong !== undefined) throw new Usage(`${wrong} is not a project: use OWNER/REPO, without patterns`)
      const settings = await settingsOf(named, { options: {}, exposed: [] }, undefined, { allPreviews: true })
      onlyOnAws(name, settings)
      if (awsPartition(settings.region) !== 'aws') {
        throw new Usage(`${name} is for AWS's public regions, and the region is ${settings.region}`)
      }
      print({
        names: settings,
        rights: { prune, parameters: parametersOf(settings) },
        jobs: { github, gitlab },
        origins: originsOf(origin),
        domain: domainOf(settings, certificate),
        immutable: globsOf(immutable),
      })
    },
  })

/** After the template is applied, the settings have CloudFront's own domain. */
function domainOf({ customDomain }: Settings, certificate: string | undefined): TemplateInput['domain'] {
  if (customDomain === undefined || customDomain.endsWith('.cloudfront.net')) {
    if (certificate !== undefined) throw new Usage('--certificate needs the domain: AWS_S3_CUSTOM_DOMAIN')
    return undefined
  }
  if (certificate === undefined) {
    throw new Usage(
      `AWS_S3_CUSTOM_DOMAIN is ${customDomain}: add --certificate and the ARN of its certificate in us-east-1`,
    )
  }
  return { name: customDomain, certificate }
}

export const cloudFormationCommand = template(
  'cloudformation',
  'a private bucket behind CloudFront, and the rights to deploy, as a CloudFormation template',
  'Prints a CloudFormation template as JSON:',
  (input) =>
    printDocument(cloudFormationTemplate(input), [
      'aws cloudformation deploy --stack-name NAME --capabilities CAPABILITY_IAM --template-file FILE',
    ]),
)

export const terraformCommand = template(
  'terraform',
  'the same for Terraform and OpenTofu',
  'Prints a configuration for Terraform and OpenTofu:',
  (input) => printDocument(terraformConfiguration(input), ['Save it as static-s3.tf, then run terraform apply.']),
)

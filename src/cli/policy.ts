import { resolve } from 'node:path'
import {
  blockCommand,
  bucketPolicy,
  corsRule,
  cspOfFolder,
  deployPolicy,
  distributionArn,
  expiryRules,
  isJob,
  parametersOf,
  readFolders,
  trustPolicy,
} from '../deploy/commands/policy.js'
import type { Settings } from '../settings/settings.js'
import { globsOf, many, onlyOnAws, originsOf, printDocument, switched, text } from './policy-flags.js'
import { cloudFormationCommand, terraformCommand } from './policy-template.js'
import { addressFlags, addressHelp, settingFlags, settingsOf } from './settings.js'
import { type Command, checkFolders, commandOf, Usage } from './usage.js'

const known = { options: {}, exposed: [] }

const iam = commandOf({
  words: '',
  summary: 'the rights that a deploy needs, for a user, a role or a group',
  help: `static-s3 policy iam

Prints the rights that a deploy of these settings needs, and no others: an IAM policy for a user, a role or a group.

  --prune             adds the right to delete objects
  --tag               adds the rights to tag objects, for static-s3 prune --tag
  --setup             adds the rights to create and configure the bucket
  --cloudfront ID     adds the right to invalidate this distribution, instead of the settings': ID, ACCOUNT:ID or its ARN
  --acl NAME, --object-parameters JSON, --rules JSON
                      instead of the environment's: ACLs, tags, locks and KMS keys need rights of their own
${addressHelp}`,
  flags: {
    ...addressFlags,
    ...{ acl: settingFlags.acl, 'object-parameters': settingFlags['object-parameters'], rules: settingFlags.rules },
    ...{ prune: switched, tag: switched, setup: switched, cloudfront: text },
  },
  async run({ prune = false, tag = false, setup = false, cloudfront, ...named }, words) {
    noWords('iam', words)
    const settings = await settingsOf(named, known, undefined, { allPreviews: true })
    const distributions = cloudfront === undefined ? settings.cloudfront?.distributions : [cloudfront]
    const distribution = distributions?.map((each) => arnOf(each, settings))
    const document = deployPolicy(settings, { prune, tag, setup, distribution, parameters: parametersOf(settings) })
    printDocument(document, [
      'aws iam put-user-policy --user-name NAME --policy-name static-s3 --policy-document file://iam.json',
      'For a role or a group: put-role-policy --role-name, put-group-policy --group-name.',
    ])
  },
})

const bucket = commandOf({
  words: '',
  summary: 'lets everybody, or one CloudFront distribution, read the location',
  help: `static-s3 policy bucket

Prints a bucket policy that lets everybody read the location, and nothing else.

  --cloudfront ACCOUNT:ID
                      lets only this distribution read it, by origin access control; also takes its ARN
  --from IP           only requests from this address or range; repeatable
  --referer URL       only requests whose Referer matches, such as https://www.example.com/*; repeatable. Anybody can
                      send any Referer
  --immutable GLOB    nobody may overwrite these files of the location, such as assets/*; repeatable; AWS only. * also
                      matches slashes. Deploys still create new fingerprinted files. AWS refuses new headers for such a
                      file, --force for it, and a promotion to this location
${addressHelp}`,
  flags: { ...addressFlags, cloudfront: text, from: many, referer: many, immutable: many },
  async run({ cloudfront, from = [], referer: referers = [], immutable = [], ...named }, words) {
    noWords('bucket', words)
    if (cloudfront !== undefined && from.length + referers.length > 0) {
      throw new Usage('--cloudfront lets the distribution read for every visitor: leave out --from and --referer')
    }
    checkReaders(from, referers)
    const settings = await settingsOf(named, known, undefined, { allPreviews: true })
    if (immutable.length > 0) onlyOnAws('--immutable', settings)
    const distribution = cloudfront === undefined ? undefined : arnOf(cloudfront, settings)
    if (distribution?.includes('::*:')) throw new Usage(`--cloudfront is ${cloudfront}: add its account, ACCOUNT:ID`)
    const document = bucketPolicy(settings, { distribution, from, referers, immutable: globsOf(immutable) })
    const isPublic = distribution === undefined && settings.endpoint === undefined
    printDocument(document, [
      ...(isPublic ? [`New buckets refuse public policies. First run: ${blockCommand(settings)}`] : []),
      `aws${storeOf(settings)} s3api put-bucket-policy --bucket ${settings.bucket} --policy file://bucket.json`,
      "It replaces the bucket's policy.",
    ])
  },
})

const cors = commandOf({
  words: '',
  summary: 'CORS rules for the pages of your sites',
  help: `static-s3 policy cors

Prints CORS rules that let pages load modules, fonts and all other files of the bucket.

  --origin URL        only pages of this origin, such as https://www.example.com; repeatable
${addressHelp}`,
  flags: { ...addressFlags, origin: many },
  async run({ origin = ['*'], ...named }, words) {
    noWords('cors', words)
    const settings = await settingsOf(named, known, undefined, { allPreviews: true })
    printDocument({ CORSRules: [corsRule(originsOf(origin))] }, [
      `aws${storeOf(settings)} s3api put-bucket-cors --bucket ${settings.bucket} --cors-configuration file://cors.json`,
      "It replaces the bucket's CORS rules.",
    ])
  },
})

const lifecycle = commandOf({
  words: '',
  summary: 'lifecycle rules for objects that static-s3 prune --tag tagged',
  help: `static-s3 policy lifecycle

Prints lifecycle rules that delete the objects that static-s3 prune --tag has tagged, with their older versions. S3 counts
the day from an object's creation: most tagged objects are gone a day or two later.
${addressHelp}`,
  flags: addressFlags,
  async run(named, words) {
    noWords('lifecycle', words)
    const settings = await settingsOf(named, known)
    const [to, on] = [`aws${storeOf(settings)} s3api`, `--bucket ${settings.bucket}`]
    printDocument({ Rules: expiryRules(settings) }, [
      `${to} put-bucket-lifecycle-configuration ${on} --lifecycle-configuration file://lifecycle.json`,
      `It REPLACES all lifecycle rules of the bucket. Add those that ${to} get-bucket-lifecycle-configuration ${on} prints.`,
    ])
  },
})

const oidc = commandOf({
  words: '',
  summary: 'lets jobs of GitHub Actions or GitLab become the role that deploys',
  help: `static-s3 policy oidc --account ACCOUNT --github OWNER/REPO

Prints the trust policy of the role that deploys: CI jobs get its rights without a key.

  --account ACCOUNT   the role's account, 12 digits
  --github OWNER/REPO[:refs/heads/BRANCH|:ENVIRONMENT]
                      jobs of this branch or environment; main by default; repeatable. A repository that was created or
                      renamed after June 18, 2026 has IDs in its name: take OWNER/REPO from its OIDC settings
  --gitlab GROUP/PROJECT[:BRANCH]
                      jobs of this branch on gitlab.com; main by default; repeatable
${addressHelp}`,
  flags: { ...addressFlags, account: text, github: many, gitlab: many },
  async run({ account = '', github = [], gitlab = [], ...named }, words) {
    noWords('oidc', words)
    const jobs = [...github, ...gitlab]
    if (jobs.length === 0)
      throw new Usage('oidc needs the jobs to trust: --github OWNER/REPO or --gitlab GROUP/PROJECT')
    const wrong = jobs.find((job) => !isJob(job))
    if (wrong !== undefined) throw new Usage(`${wrong} is not a project: use OWNER/REPO, without patterns`)
    if (!/^\d{12}$/.test(account)) throw new Usage('oidc needs the account of the role: --account and its 12 digits')
    const { region } = await settingsOf(named, known, undefined, { allPreviews: true })
    printDocument(trustPolicy(region, account, { github, gitlab }), [
      'aws iam create-role --role-name NAME --assume-role-policy-document file://trust.json',
      'The account needs the identity provider once: aws iam create-open-id-connect-provider.',
    ])
  },
})

const csp = commandOf({
  words: 'DIR',
  summary: 'a Content-Security-Policy for the pages of this build',
  help: `static-s3 policy csp DIR

Prints a Content-Security-Policy for the pages of the finished build in DIR: what its files need, from the page's origin
and from the public URL. Add the servers that your code talks to.
${addressHelp}`,
  flags: addressFlags,
  async run(named, [dir, ...more]) {
    if (dir === undefined || more.length > 0) throw new Usage('csp needs one folder: static-s3 policy csp DIR')
    checkFolders([dir])
    const [release] = await readFolders([resolve(dir)])
    const settings = await settingsOf(named, release?.known ?? known)
    printDocument(cspOfFolder(resolve(dir), settings), [
      'Send it with your pages, as the header Content-Security-Policy.',
    ])
  },
})

const policies: Record<string, Command> = {
  ...{ iam, bucket, cors, lifecycle, oidc, csp },
  cloudformation: cloudFormationCommand,
  terraform: terraformCommand,
}
const names = Object.keys(policies).join('|')

const help = `static-s3 policy ${names}

Prints a policy with this project's names, to paste or to pipe. The next step is printed on the standard error output.

${Object.entries(policies)
  .map(([name, { summary }]) => `  ${name.padEnd(14)}    ${summary}\n`)
  .join('')}
static-s3 policy NAME --help prints the options.
`

export const policyCommand: Command = {
  words: 'NAME',
  summary: `prints a policy to paste: ${Object.keys(policies).join(', ')}`,
  async run([name, ...words]) {
    if (name === '--help' || name === '-h') process.stdout.write(help)
    else if (name === undefined || !Object.hasOwn(policies, name)) throw new Usage(`policy needs a name: ${names}`)
    else await policies[name]?.run(words)
  },
}

function noWords(name: string, words: readonly string[]): void {
  if (words.length > 0) throw new Usage(`policy ${name} takes flags only: remove ${words.join(' ')}`)
}

/** @throws Usage for a condition that no request meets, or every request */
function checkReaders(from: readonly string[], referers: readonly string[]): void {
  const wrong = from.find((range) => !isRange(range))
  if (wrong !== undefined)
    throw new Usage(`--from is ${wrong || 'empty'}: use an address or a range, such as 203.0.113.0/24`)
  if (referers.includes('')) throw new Usage('--referer is empty: use a pattern, such as https://www.example.com/*')
}

function isRange(text: string): boolean {
  const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const isV6 = address.includes(':')
  // `URL` writes an IPv4 address in its usual form, so any other form differs from its host.
  const isAddress = isV6 ? URL.canParse(`http://[${address}]`) : /^[\d.]+$/.test(address) && hostOf(address) === address
  return isAddress && Number(bits ?? 0) <= (isV6 ? 128 : 32)
}

function hostOf(name: string): string | undefined {
  return URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : undefined
}

function arnOf(named: string, settings: Settings): string {
  const arn = distributionArn(named, settings)
  if (arn === undefined) throw new Usage(`--cloudfront is ${named}: use ACCOUNT:ID, such as 123456789012:E2EXAMPLE`)
  return arn
}

function storeOf({ endpoint }: Settings): string {
  return endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`
}

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { contentSecurityPolicy } from '../../policy/csp.js'
import { lifecycleRules } from '../../policy/lifecycle.js'
import { expiredTag } from '../../prune/tag-expired.js'
import { filesBelow } from '../../runtime/files-below.js'
import type { Settings } from '../../settings/settings.js'

export { readFolders } from '../../folders/read-folders.js'
export { bucketPolicy } from '../../policy/bucket.js'
export { cloudFormationTemplate } from '../../policy/cloudformation.js'
export { blockCommand } from '../../policy/commands.js'
export { corsRule } from '../../policy/cors.js'
export { deployPolicy } from '../../policy/iam.js'
export { distributionArn } from '../../policy/names.js'
export type { TemplateInput } from '../../policy/template.js'
export { terraformConfiguration } from '../../policy/terraform.js'
export { isJob, trustPolicy } from '../../policy/trust.js'
export { awsPartition } from '../../urls/public-url.js'

/** The lifecycle rules for `static-s3 prune --tag`. */
export function expiryRules(settings: Settings): object[] {
  return lifecycleRules(settings, expiredTag)
}

/** The Content-Security-Policy that the pages of a finished build need. */
export function cspOfFolder(dir: string, { publicUrl }: Settings): string {
  const files = filesBelow(dir).map((path) => ({
    path,
    text: /\.(css|html?|m?js)$/i.test(path) ? readFileSync(join(dir, path), 'utf8') : undefined,
  }))
  return contentSecurityPolicy(files, publicUrl)
}

/** All parameters that the settings give to objects, under any rule. */
export function parametersOf({ objectParameters, rules }: Settings): Settings['objectParameters'][] {
  return [objectParameters, ...rules.map(({ parameters }) => parameters)]
}

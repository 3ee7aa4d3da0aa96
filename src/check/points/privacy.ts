import type { LifecycleRule } from '../../bucket/configuration.js'
import { blockCommand } from '../../policy/commands.js'
import { plain } from '../../runtime/error.js'
import { publicUrlOf } from '../../urls/public-url.js'
import { remediesOf } from '../advice.js'
import { reasonOf } from '../page-fetch.js'
import { fail, hint, pass, pointsOf, unknown } from '../point.js'
import { prefixOf, type Site } from '../site.js'
import { isPublic } from '../visit.js'
import { writeRecord } from './rights.js'
import { bucket } from './signing-in.js'

// What the bucket shows and deletes, though it should not.

const point = pointsOf('the bucket')

/** The bucket's roots, in the store and on the custom domain. */
function rootsOf({ settings, bucketUrl }: Site): URL[] {
  const store = new URL(bucketUrl)
  store.pathname = `${store.pathname.replace(/\/$/, '')}/`
  const domain = new URL(publicUrlOf({ ...settings, location: '' }))
  return store.href === domain.href ? [store] : [store, domain]
}

const listing = point({
  name: 'listing by everybody',
  needs: [bucket],
  faults: ['open', 'unreachable'],
  async look(site) {
    try {
      for (const root of rootsOf(site)) {
        const url = new URL('?list-type=2&max-keys=1', root)
        const { status, body } = await site.send({ method: 'GET', url, headers: {} })
        if (status === 200 && body.includes('<ListBucketResult')) {
          const remedy =
            "Remove s3:ListBucket for everybody from the bucket's policy, and public-read from its ACL. With static-s3 setup, the policy allows s3:GetObject alone."
          return fail('open', `everybody can list all files, unpublished ones too: ${url}`, remedy)
        }
      }
      return pass('refused')
    } catch (error) {
      return unknown('unreachable', reasonOf(error))
    }
  },
})

const publicRecords = point({
  name: 'records for everybody',
  needs: [writeRecord],
  faults: ['public', 'unreachable'],
  async look(site) {
    const { canary, send, settings } = site
    try {
      for (const root of rootsOf(site)) {
        const url = new URL(canary.recordKey, root)
        if (!(await isPublic(url, send))) continue
        const saw = `everybody can read who deployed, when, and from which commit: ${url}`
        return fail('public', saw, remediesOf([], true, undefined, settings).join('\n'))
      }
      return pass('refused')
    } catch (error) {
      return unknown('unreachable', reasonOf(error))
    }
  },
})

const publicAccessBlock = point({
  name: 'public access block',
  needs: [bucket],
  faults: ['blocked', 'unread'],
  isNeeded: false,
  async look({ settings, configuration }) {
    if (settings.endpoint !== undefined) return pass('only AWS has it')
    try {
      const { RestrictPublicBuckets, IgnorePublicAcls } = (await configuration.publicAccessBlock()) ?? {}
      const isByAcl = /^public/.test(String(settings.objectParameters.ACL))
      if (settings.customDomain === undefined && (RestrictPublicBuckets || (isByAcl && IgnorePublicAcls))) {
        return fail('blocked', 'the block refuses visitors, whatever the policy allows', blockCommand(settings))
      }
      return pass(RestrictPublicBuckets ? `on, and ${settings.customDomain} reads for the visitors` : 'off')
    } catch (error) {
      return unknown('unread', plain(error))
    }
  },
})

const lifecycle = point({
  name: 'lifecycle rules',
  needs: [bucket],
  faults: ['deletes-files', 'no-abort-rule', 'unread'],
  isNeeded: false,
  async look(site) {
    try {
      const rules = (await site.configuration.lifecycleRules()).filter(({ Status }) => Status === 'Enabled')
      const live = await site.lastRelease().catch(() => undefined)
      const keys = [prefixOf(site), site.recordsFolder, ...(live?.files.keys() ?? [])]
      const deadly = rules.find((rule) =>
        (rule.Expiration?.Days ?? rule.Expiration?.Date) ? covers(rule, keys) : false,
      )
      if (deadly) {
        const { ID = 'a rule without ID', Expiration: { Days, Date: date } = {} } = deadly
        const when = Days === undefined ? `on ${date?.toISOString()}` : `${Days} days after their upload`
        const saw = `"${ID}" deletes files in use ${when}, unchanged ones too`
        return fail(
          'deletes-files',
          saw,
          'Remove this rule, or limit it to another prefix: an unchanged file grows old and is still in use.',
        )
      }
      const aborts = rules.some((rule) => rule.AbortIncompleteMultipartUpload && covers(rule, [prefixOf(site)]))
      if (aborts) return pass('none deletes files in use, and one removes abandoned parts of uploads')
      return hint('no-abort-rule', 'none removes abandoned parts of uploads, which cost storage', 'npx static-s3 setup')
    } catch (error) {
      return unknown('unread', plain(error))
    }
  },
})

/** A rule with tags covers only objects that somebody tagged. */
function covers({ Filter, Prefix }: LifecycleRule, keys: readonly string[]): boolean {
  const { Tag, And } = Filter ?? {}
  if (Tag !== undefined || (And as { Tags?: unknown } | undefined)?.Tags !== undefined) return false
  const prefix = And?.Prefix ?? Filter?.Prefix ?? Prefix ?? ''
  return keys.some((key) => key.startsWith(prefix))
}

export const privacy = [listing, publicRecords, publicAccessBlock, lifecycle]

import type { LifecycleRule } from '../../bucket/configuration.js'
import { blockCommand } from '../../policy/commands.js'
import { plain } from '../../runtime/error.js'
import { prefixOf } from '../../urls/paths.js'
import { publicUrlOf } from '../../urls/public-url.js'
import { remediesOf } from '../advice.js'
import { reasonOf, type Send } from '../page-fetch.js'
import { fail, hint, type Point, pass, pointsOf, unknown } from '../point.js'
import type { Site } from '../site.js'
import { isPublic } from '../visit.js'
import { writeRecord } from './rights.js'
import { bucket } from './signing-in.js'

// The bucket must not show listings and records, nor delete files in use.

const point = pointsOf('the bucket')

/** A point that passes if everybody is refused at a path, by the store and by the custom domain. */
function closed<const Fault extends string>(
  { name, needs, fault }: { name: string; needs: readonly Point[]; fault: Fault },
  pathOf: (site: Site) => Promise<string> | string,
  isOpen: (url: URL, send: Send) => Promise<boolean>,
  advice: (url: URL, site: Site) => [saw: string, remedy: string],
): Point<Fault | 'unreachable'> {
  return point({
    name,
    needs,
    faults: [fault, 'unreachable'],
    async look(site) {
      const store = site.bucketUrl.href.replace(/\/?$/, '/')
      try {
        for (const root of new Set([store, publicUrlOf({ ...site.settings, location: '' })])) {
          const url = new URL(await pathOf(site), root)
          if (await isOpen(url, site.send)) return fail(fault, ...advice(url, site))
        }
        return pass('refused')
      } catch (error) {
        return unknown('unreachable', reasonOf(error))
      }
    },
  })
}

const listing = closed(
  { name: 'listing by everybody', needs: [bucket], fault: 'open' },
  () => '?list-type=2&max-keys=1',
  async (url, send) => {
    const { status, body } = await send({ method: 'GET', url, headers: {} })
    return status === 200 && body.includes('<ListBucketResult')
  },
  (url) => [
    `everybody can list all files, unpublished ones too: ${url}`,
    "Remove s3:ListBucket for everybody from the bucket's policy, and public-read from its ACL. With static-s3 setup, the policy allows s3:GetObject alone.",
  ],
)

const publicRecords = closed(
  { name: 'records for everybody', needs: [writeRecord], fault: 'public' },
  async ({ canary }) => (await canary()).recordKey,
  isPublic,
  (url, { settings }) => [
    `everybody can read who deployed, when, and from which commit: ${url}`,
    remediesOf([], true, undefined, settings).join('\n'),
  ],
)

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
      return pass(RestrictPublicBuckets ? `on; visitors read through ${settings.customDomain}` : 'off')
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
      const keys = [prefixOf(site.settings.location), site.recordsFolder, ...(live?.files.keys() ?? [])]
      const deadly = rules.find((rule) =>
        (rule.Expiration?.Days ?? rule.Expiration?.Date) ? covers(rule, keys) : false,
      )
      if (deadly) {
        const { ID = 'a rule without ID', Expiration: { Days, Date: date } = {} } = deadly
        const when = Days === undefined ? `on ${date?.toISOString()}` : `${Days} days after their upload`
        const saw = `"${ID}" deletes files in use ${when}`
        return fail(
          'deletes-files',
          saw,
          'Remove this rule, or limit it to another prefix: an unchanged file grows old, but is still in use.',
        )
      }
      const aborts = rules.some(
        (rule) => rule.AbortIncompleteMultipartUpload && covers(rule, [prefixOf(site.settings.location)]),
      )
      if (aborts) return pass('no rule deletes files in use, and one removes abandoned parts of uploads')
      return hint('no-abort-rule', 'no rule removes abandoned parts, which cost storage', 'npx static-s3 setup')
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

import { type PolicyNames, prefixesOf, sidOf } from './names.js'

/**
 * Lifecycle rules that delete tagged objects of a location and its records, and with them their versions and delete markers. S3 combines tags with
 * neither delete markers nor uploads, so these have rules of their own. The one for uploads is setup's.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
 */
export function lifecycleRules(names: PolicyNames, [Key, Value]: readonly [name: string, value: string]): object[] {
  const { location } = names
  const prefixes = prefixesOf(names)
  const rule = (does: string, Filter: object, rest: object) => ({
    ...{ ID: sidOf(does, location), Status: 'Enabled', Filter, ...rest },
  })
  const Tag = { Key, Value }
  return [
    ...prefixes.flatMap((Prefix, i) => [
      rule(i === 0 ? 'Expire' : 'ExpireRecords', Prefix === '' ? { Tag } : { And: { Prefix, Tags: [Tag] } }, {
        Expiration: { Days: 1 },
        NoncurrentVersionExpiration: { NoncurrentDays: 1 },
      }),
      rule(i === 0 ? 'Markers' : 'MarkersRecords', { Prefix }, { Expiration: { ExpiredObjectDeleteMarker: true } }),
    ]),
    rule('AbortUploads', { Prefix: prefixes[0] }, { AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }),
  ]
}

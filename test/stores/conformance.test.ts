import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { behaviours, type World } from '../../fixtures/s3/behaviour.js'
import { s3Servers, type TestS3 } from '../../fixtures/s3/index.js'
import './behaviours/buckets.js'
import './behaviours/objects.js'
import './behaviours/keys.js'
import './behaviours/checksums.js'
import './behaviours/streamed-bodies.js'
import './behaviours/conditional-writes.js'
import './behaviours/reading.js'
import './behaviours/listing.js'
import './behaviours/deleting.js'
import './behaviours/copying.js'
import './behaviours/multipart-uploads.js'
import './behaviours/signatures.js'
import './behaviours/policies.js'
import './behaviours/cors.js'
import './behaviours/lifecycle.js'
import './behaviours/addressing.js'

// What S3 does, so far as static-s3 and its tests rely on it, held against our own server and against a store that people
// run in production. Where the two differ, ours is wrong, or the difference stands here with its reason.

interface Difference {
  reason: string
  /** Titles, or what they begin with and a `*`. */
  of: string[]
}

/** Such a check must fail there, so that no entry outlives its reason. */
const differences: Record<TestS3['name'], Difference[]> = {
  embedded: [],
  ceph: [
    {
      reason: 'checksums beyond MD5 came with Ceph 20',
      of: ['x-amz-checksum-crc32 *', 'x-amz-checksum-crc32c *', 'x-amz-checksum-crc64nvme *', 'x-amz-checksum-sha*'],
    },
    {
      reason: 'it knows no trailers, and asks for the Content-Length that aws-chunked over plain HTTP has not',
      of: ['aws-chunked with a trailing checksum, as the SDK streams by default'],
    },
    { reason: 'it stores aws-chunked as if it were the content’s own encoding', of: ['aws-chunked leaves no trace *'] },
    { reason: 'it reads the unknown ?attributes as GetObject', of: ['GetObjectAttributes'] },
    {
      reason: 'it compares If-Match with something else, and refuses the right ETag too',
      of: ['If-Match with the ETag that is there replaces', 'If-Match on a missing key: 404 NoSuchKey'],
    },
    { reason: 'it puts them in order itself', of: ['parts in the wrong order: 400 InvalidPartOrder'] },
    { reason: 'it escapes nothing but keys', of: ['encoding-type=url escapes the prefix too'] },
    { reason: 'it has no conditions there', of: ['CompleteMultipartUpload with If-None-Match: * on *'] },
    { reason: 'it looks for these conditions in headers of other names', of: ['conditions on the source: 412'] },
    { reason: 'a zone group has a name, not a region', of: ['GetBucketLocation is empty in us-east-1'] },
    { reason: 'every region is its own', of: ['another region: 400 AuthorizationHeaderMalformed'] },
    { reason: 'its limit is another one', of: ['user metadata over 2 KB: 400 MetadataTooLarge'] },
    { reason: 'the code is InvalidObjectName', of: ['a key of 1,024 bytes is stored, one of 1,025: *'] },
    { reason: 'the code is MalformedXML', of: ['a method that CORS has not: 400 InvalidRequest'] },
    { reason: 'a 400 without any code', of: ['DeleteObjects of 1,001 keys: 400 MalformedXML'] },
    {
      reason: 'storage classes are what its operator made',
      of: ['an unknown storage class: 400 InvalidStorageClass', 'a storage class comes back'],
    },
    { reason: 'AWS does so since 2023', of: ['objects are encrypted with AES256 when nobody asks for it'] },
    { reason: 'AWS alone reads a path so', of: ['a bare plus in a path is a space'] },
    { reason: 'it takes what is not signed too', of: ['an x-amz header added after signing: 403 AccessDenied'] },
    { reason: 'it refuses them all if it refuses one', of: ['DeleteObjects tells for each key *'] },
    {
      reason: 'who wrote an object owns it, as on AWS before 2023',
      of: ['what another user wrote belongs to the owner of the bucket'],
    },
    {
      reason: 'the code is InvalidArgument',
      of: ['a policy that is no JSON: *', 'a policy with an action that there is none of: *'],
    },
    {
      reason: 'it takes it as it is',
      of: [
        'a policy about another bucket: *',
        'a policy without Effect: *',
        'a policy with an action on objects and a resource that is the bucket: *',
        'a policy for a user that there is none of: *',
      ],
    },
  ],
}

const covers = (pattern: string, title: string): boolean =>
  pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1)) : title === pattern

for (const { name, title, available, start } of s3Servers) {
  describe.skipIf(!available)(`S3 as it is, on ${title}`, () => {
    const world = {} as World

    beforeAll(async () => {
      world.s3 = await start()
      world.owner = world.s3.client()
      world.other = world.s3.client({ credentials: world.s3.other })
    })

    afterAll(() => world.s3?.close())

    for (const group of new Set(behaviours.map((one) => one.group))) {
      describe(group, () => {
        for (const { title, check } of behaviours.filter((one) => one.group === group)) {
          const reason = differences[name].find((one) => one.of.some((pattern) => covers(pattern, title)))?.reason
          if (reason) it.fails(`differs: ${title} (${reason})`, () => check(world))
          else it(title, () => check(world))
        }
      })
    }
  })
}

it('no two checks have one title, and every difference is about some of them', () => {
  const titles = behaviours.map(({ title }) => title)
  expect(titles).toEqual([...new Set(titles)])
  const patterns = Object.values(differences).flatMap((list) => list.flatMap((one) => one.of))
  expect(patterns.filter((pattern) => !titles.some((title) => covers(pattern, title)))).toEqual([])
})

import { isForbidden, plain, refusedCondition } from '../../runtime/error.js'
import { prefixOf } from '../../urls/paths.js'
import { type Canary, canaryText } from '../canary.js'
import { hint, type Point, pass, pointsOf, refusalOf, refusals, unknown } from '../point.js'
import type { Site } from '../site.js'
import { bucket } from './signing-in.js'

// The requests of a deploy, with canaries.

const iam = 'npx static-s3 policy iam'

/** A point that passes if the store carries out the requests. */
function right(
  group: string,
  name: string,
  needs: readonly Point[],
  request: (canary: Canary, site: Site) => Promise<string>,
  remedy?: string,
): Point {
  return pointsOf(group)({
    name,
    needs,
    faults: refusals,
    look: async (site) =>
      request(await site.canary(), site).then(pass, (error) =>
        refusalOf(error, remedy ?? (isForbidden(error) ? iam : undefined)),
      ),
  })
}

const files = 'the files'

const list = right(files, 'list files', [bucket], async (_, site) => {
  await site.bucket.list(prefixOf(site.settings.location), { first: 1 })
  return `s3://${site.settings.bucket}/${prefixOf(site.settings.location)}`
})

/** A new fingerprinted file. */
export const upload = right(files, 'upload a file', [bucket], async ({ key, create, parameters }) => {
  await create(key, canaryText('1'), withoutAcl(parameters('fingerprinted')))
  return key
})

/** A page, or another file without a fingerprint. */
export const replace = right(
  files,
  'replace a file',
  [upload],
  async ({ key, write, parameters }) => {
    await write(key, canaryText('1'), withoutAcl(parameters('other')))
    return 'with other headers'
  },
  "Files can be added, but no page can change. Limit the policy to fingerprinted names: npx static-s3 setup --immutable 'assets/*'",
)

export const acl = right(
  files,
  'ACL',
  [upload],
  async ({ keyOf, create, parameters }, { settings: { objectParameters } }) => {
    const acls = Object.keys(objectParameters).filter(isAcl)
    if (acls.length === 0) return 'no setting gives one'
    await create(keyOf('acl'), canaryText('1'), parameters('fingerprinted'))
    return `the bucket takes ${acls.join(', ')}`
  },
  'Remove AWS_DEFAULT_ACL, and let a bucket policy make the files public.',
)

const read = right(files, 'read a file', [upload], async ({ key }, { bucket: { head, get } }) => {
  const [, bytes] = await Promise.all([head(key), get(key)])
  return `${bytes?.length ?? 0} bytes by GET, headers by HEAD`
})

const copy = right(files, 'copy a file', [replace, read], async ({ key, copy, parameters }) => {
  await copy(key, withoutAcl(parameters('fingerprinted')))
  return 'with new headers, onto itself'
})

/** Only `sync --delete` needs it. */
export const remove = pointsOf('clean-up')({
  name: 'delete a file',
  needs: [bucket],
  faults: ['not-allowed', 'no-answer'],
  isNeeded: false,
  async look({ canary }) {
    const left = await (await canary()).clean()
    if (left.length === 0) return pass('nothing of this check stays in the bucket')
    const stay = `these stay: ${left.map(({ key }) => key).join(', ')}`
    const other = left.find(({ error }) => !isForbidden(error))
    if (other) return unknown('no-answer', `${plain(other.error)}; ${stay}`)
    return hint('not-allowed', `not allowed, and no deploy needs it; ${stay}`, `${iam} --prune`)
  },
})

const records = 'the records'

const listRecords = right(records, 'list records', [bucket], async (_, { bucket: { list }, recordsFolder }) => {
  await list(recordsFolder, { first: 1 })
  return recordsFolder
})

export const writeRecord = right(
  records,
  'write a record',
  [bucket],
  async ({ recordKey, write, recordParameters }) => {
    await write(recordKey, '{}', recordParameters)
    return recordKey
  },
)

const readRecord = right(records, 'read a record', [writeRecord], async ({ recordKey }, { bucket: { get } }) => {
  await get(recordKey)
  return recordKey
})

const conditionalWrites = pointsOf(records)({
  name: 'conditional writes',
  needs: [writeRecord],
  faults: ['ignored', 'unsupported', ...refusals],
  async look(site) {
    const { recordKey, recordParameters, write } = await site.canary()
    const alone = 'Deploy one after the other, such as with `concurrency` in GitHub Actions: two at once may mix.'
    try {
      await write(recordKey, '{}', { ...recordParameters, IfNoneMatch: '*' })
      return hint('ignored', 'the store ignores If-None-Match, so a lock can be taken twice', alone)
    } catch (error) {
      const refused = refusedCondition(error)
      if (refused === 'exists') return pass('If-None-Match does not overwrite: two deploys at once do not mix')
      if (refused === 'unsupported') return hint('unsupported', plain(error), alone)
      return refusalOf(error, isForbidden(error) ? iam : undefined)
    }
  },
})

function withoutAcl<T>(parameters: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !isAcl(name)))
}

function isAcl(name: string): boolean {
  return name === 'ACL' || name.startsWith('Grant')
}

export const rights = [list, upload, replace, acl, read, copy, listRecords, writeRecord, readRecord, conditionalWrites]

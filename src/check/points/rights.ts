import { isForbidden, plain, refusedCondition } from '../../runtime/error.js'
import { canaryText } from '../canary.js'
import { hint, type Point, pass, pointsOf, refusalOf, refusals, unknown } from '../point.js'
import { prefixOf, type Site } from '../site.js'
import { bucket } from './signing-in.js'

// The requests of a deploy, with canaries.

const iam = 'npx static-s3 policy iam'

/** A point that passes if the store carries the requests out. */
function right(group: string, name: string, needs: readonly Point[], request: (site: Site) => Promise<string>): Point {
  return pointsOf(group)({
    name,
    needs,
    faults: refusals,
    look: (site) => request(site).then(pass, (error) => refusalOf(error, isForbidden(error) ? iam : undefined)),
  })
}

const files = 'the files'

const list = right(files, 'list files', [bucket], async (site) => {
  await site.bucket.list(prefixOf(site), { first: 1 })
  return `s3://${site.settings.bucket}/${prefixOf(site)}`
})

/** A new fingerprinted file. */
export const upload = right(files, 'upload a file', [bucket], async (site) => {
  const canary = await site.canary()
  await canary.create(canary.key, canaryText('1'), withoutAcl(canary.parameters('fingerprinted')))
  return canary.key
})

/** Pages and other files without a fingerprint. */
export const replace = pointsOf(files)({
  name: 'replace a file',
  needs: [upload],
  faults: refusals,
  async look(site) {
    const canary = await site.canary()
    try {
      await canary.write(canary.key, canaryText('1'), withoutAcl(canary.parameters('other')))
      return pass('with other headers')
    } catch (error) {
      const remedy = `A bucket policy may refuse it (--immutable '*'). Limit it: npx static-s3 setup --immutable 'assets/*'`
      const found = refusalOf(error, remedy)
      return { ...found, saw: `a new name is allowed, but no page and no other file can change: ${found.saw}` }
    }
  },
})

export const acl = pointsOf(files)({
  name: 'ACL',
  needs: [upload],
  faults: [...refusals],
  async look(site) {
    const acls = Object.keys(site.settings.objectParameters).filter(isAcl)
    if (acls.length === 0) return pass('no upload has one')
    try {
      const canary = await site.canary()
      await canary.create(canary.keyOf('acl'), canaryText('1'), canary.parameters('fingerprinted'))
      return pass(`the bucket takes ${acls.join(', ')}`)
    } catch (error) {
      return refusalOf(error, 'Remove AWS_DEFAULT_ACL, and let a bucket policy make the files public.')
    }
  },
})

const read = right(files, 'read a file', [upload], async ({ canary, bucket: { head, get } }) => {
  const { key } = await canary()
  const [, bytes] = await Promise.all([head(key), get(key)])
  return `${bytes?.length ?? 0} bytes by GET, headers by HEAD`
})

const copy = right(files, 'copy a file', [replace, read], async (site) => {
  const canary = await site.canary()
  await canary.copy(canary.key, withoutAcl(canary.parameters('fingerprinted')))
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
    const [first] = left
    if (!first) return pass('nothing of this check stays in the bucket')
    const stay = `these stay: ${left.map(({ key }) => key).join(', ')}`
    const other = left.find(({ error }) => !isForbidden(error))
    if (other) return unknown('no-answer', `${plain(other.error)}; ${stay}`)
    return hint('not-allowed', `not allowed, and no deploy needs it; ${stay}`, `${iam} --prune`)
  },
})

const records = 'the records'

const listRecords = right(records, 'list records', [bucket], async ({ bucket: { list }, recordsFolder }) => {
  await list(recordsFolder, { first: 1 })
  return recordsFolder
})

export const writeRecord = right(records, 'write a record', [bucket], async (site) => {
  const canary = await site.canary()
  await canary.write(canary.recordKey, '{}', canary.recordParameters)
  return canary.recordKey
})

const readRecord = right(records, 'read a record', [writeRecord], async ({ canary, bucket: { get } }) => {
  const { recordKey } = await canary()
  await get(recordKey)
  return recordKey
})

const conditionalWrites = pointsOf(records)({
  name: 'conditional writes',
  needs: [writeRecord],
  faults: ['ignored', 'unsupported', ...refusals],
  async look(site) {
    const canary = await site.canary()
    const alone = 'Deploy one after the other, such as with `concurrency` in GitHub Actions: two at once may mix.'
    try {
      await canary.write(canary.recordKey, '{}', { ...canary.recordParameters, IfNoneMatch: '*' })
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

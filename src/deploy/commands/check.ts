import { randomBytes } from 'node:crypto'
import { type Canary, openCanary } from '../../check/canary.js'
import { allPoints, type Checked, lookAt } from '../../check/check.js'
import type { Site } from '../../check/site.js'
import { releasesFolder } from '../../release/records/releases-folder.js'
import { readNewestRecord } from '../../release/survey.js'
import { recordParameters } from '../../release/write-record.js'
import type { Stop } from '../../runtime/stop.js'
import type { S3Connection } from '../../s3/objects/s3-bucket.js'
import { credentialSource } from '../../settings/credentials.js'
import { readEnvironment } from '../../settings/environment.js'
import type { Settings } from '../../settings/settings.js'
import { prefixOf } from '../../urls/paths.js'
import { withConnection } from '../with-connection.js'

export { type Checked, outcomeOf } from '../../check/check.js'
export { conclusion, findingAsData, findingAsText } from '../../check/text.js'

/** Milliseconds for a response of the public URL. */
const patience = 10_000

/**
 * Tests the bucket as a deploy and as a visitor's browser. Takes no lock, and deletes its objects, even after Ctrl-C.
 *
 * @param mode of the `.env` files
 * @throws StaticS3Error if a signal stops it
 */
export async function checkBucket(
  settings: Settings,
  mode: string,
  onFinding: (found: Checked) => void,
): Promise<Checked[]> {
  const { openConfiguration } = await import('../../s3/configuration/s3-configuration.js')
  const { configuration, close } = openConfiguration(settings)
  return withConnection(settings, async (connection, stop) => {
    const site = await openSite(settings, mode, { ...connection, configuration }, stop)
    const findings: Checked[] = []
    try {
      for await (const found of lookAt(allPoints, site, stop.begun)) {
        findings.push(found)
        onFinding(found)
      }
      return findings
    } finally {
      await site.clean()
    }
  }).finally(close)
}

export async function openSite(
  settings: Settings,
  mode: string,
  connection: S3Connection & Pick<Site, 'configuration'>,
  { begun, cut }: Stop,
): Promise<Site & { clean(): Promise<unknown> }> {
  const { bucketUrl } = await import('../../s3/aws/endpoint.js')
  const environment = readEnvironment(mode, process.cwd(), process.env)
  const { bucket, configuration } = connection
  const recordsFolder = releasesFolder(settings.location)
  const run = randomBytes(4).toString('hex')
  const inTime = () => AbortSignal.any([begun, AbortSignal.timeout(patience)])
  let live: ReturnType<Site['lastRelease']> | undefined
  let canary: Promise<Canary> | undefined
  return {
    ...{ settings, bucket, configuration, recordsFolder, run },
    canary: () =>
      (canary ??= openCanary({
        ...{ bucket, settings, recordsFolder, run, cut },
        recordParameters: recordParameters(settings),
      })),
    clean: async () => (await canary)?.clean(),
    mediaUrl: environment.all.MEDIA_URL,
    credentials: async () => {
      const found = await connection.credentials()
      return { ...found, source: credentialSource(environment, found) }
    },
    bucketUrl: await bucketUrl(settings),
    send: (request) => connection.sendUnsigned(request, inTime()),
    allowed: () => connection.corsOrigins(inTime()),
    tls: connection.inspectTls,
    lastRelease: () => (live ??= lastRelease(bucket, settings.location)),
    now: Date.now,
  }
}

/** The files of the newest release, without those of older pages. */
async function lastRelease(bucket: Site['bucket'], location: string): ReturnType<Site['lastRelease']> {
  const record = await readNewestRecord(bucket, location)
  if (!record) return undefined
  const prefix = prefixOf(location)
  const files = [...record.objects].filter(([, { release }]) => release === record.live)
  return {
    release: record.live,
    files: new Map(files.map(([path, { size, fingerprinted }]) => [prefix + path, { size, isKept: fingerprinted }])),
  }
}

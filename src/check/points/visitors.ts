import { hash } from 'node:crypto'
import { secondsWithoutRevalidation } from '../../files/cache-lifetime.js'
import { formatBytes } from '../../report/report.js'
import { encodePath } from '../../urls/paths.js'
import { publicUrlOf } from '../../urls/public-url.js'
import { remediesOf, sentenceOf } from '../advice.js'
import { canaryText, canaryType } from '../canary.js'
import { decoded, fetchAsPage, reasonOf } from '../page-fetch.js'
import { pageOrigin } from '../page-origin.js'
import { fail, hint, type Point, pass, pointsOf, shared, unknown } from '../point.js'
import { type Problem, type PublicFile, problemsOf } from '../problems.js'
import type { LiveRelease, Site } from '../site.js'
import { servesPages } from '../visit.js'
import { acl, replace, upload } from './rights.js'

// A canary through the public URL, as a browser with a page of another origin fetches it.

const point = pointsOf('visitors')

const rootOf = ({ settings }: Site) => new URL(publicUrlOf({ ...settings, location: '' }))
const urlOf = (site: Site, key: string) => new URL(encodePath(key), rootOf(site))

/** Writes a file that no cache knows. So no response to a check stays in a cache for a file of a release. */
async function place(site: Site, name: string, version: string, cache: 'fingerprinted' | 'other'): Promise<PublicFile> {
  const canary = await site.canary()
  const key = canary.keyOf(name)
  const text = canaryText(version)
  const write = cache === 'fingerprinted' ? canary.create : canary.write
  await write(key, text, canary.parameters(cache))
  const url = `${urlOf(site, key)}${canary.isFresh ? '' : `?check=${site.run}`}`
  return { url, sha256: hash('sha256', text), contentType: canaryType, isKept: false }
}

const pageOf = shared(async (site) => {
  const allowed = await site.allowed()
  return { allowed, page: pageOrigin(allowed, site.settings.endpoint === undefined) }
})

async function visit(site: Site, file: PublicFile) {
  const { allowed, page } = await pageOf(site)
  const fetched = await fetchAsPage(new URL(file.url), page.origin, site.send)
  return { file, allowed, page, fetched, problems: problemsOf(file, fetched, page) }
}

/** First without `Origin`, as for an image: a cache that ignores `Origin` then gives this response to scripts too. */
const visitScript = shared(async (site) => {
  const file = await place(site, 'script', '1', 'fingerprinted')
  const image = await site.send({ method: 'GET', url: new URL(file.url), headers: { accept: 'image/*' } })
  return { image, ...(await visit(site, file)) }
})

const domain = point({
  name: 'domain',
  needs: [upload, acl],
  faults: ['unreachable', 'untrusted', 'expired', 'other-name', 'expires-soon'],
  async look(site) {
    const root = rootOf(site)
    try {
      if (root.protocol === 'http:') {
        await site.send({ method: 'HEAD', url: root, headers: {} })
        return pass(`${root.host}, without TLS`)
      }
      const { validTo } = await site.tls(root)
      const days = Math.floor((validTo.getTime() - site.now()) / 86_400_000)
      const saw = `${root.host}, with a certificate for ${days} more days`
      return days < 14 ? hint('expires-soon', saw, 'Renew the certificate.') : pass(saw)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      const saw = `${root.host}: ${reasonOf(error)}`
      if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
        return fail('other-name', saw, 'Use a certificate that names this domain, or another AWS_S3_CUSTOM_DOMAIN.')
      }
      if (code === 'CERT_HAS_EXPIRED') return fail('expired', saw, 'Renew the certificate.')
      if (/CERT|SIGNATURE/.test(code)) {
        return fail('untrusted', saw, 'Use a certificate of an authority that browsers know.')
      }
      return unknown('unreachable', saw, 'Check AWS_S3_CUSTOM_DOMAIN, its DNS record, and HTTPS_PROXY.')
    }
  },
})

const status = point({
  name: 'status',
  needs: [domain],
  faults: ['other-status'],
  async look(site) {
    const { problems, allowed, file } = await visitScript(site)
    const problem = problems.find(({ kind }) => kind === 'status')
    if (!problem) return pass(`200: ${file.url}`)
    const remedy = remediesOf([problem], false, allowed, site.settings).join('\n')
    return fail('other-status', sentenceOf(problem, allowed), remedy)
  },
})

/** A point that passes if a script has no problem of this kind. */
const without = <const Fault extends string>(
  { name, needs, fault }: { name: string; needs: readonly Point[]; fault: Fault },
  kind: Problem['kind'],
  seen: string,
  remedy: (site: Site) => string,
) =>
  point({
    name,
    needs,
    faults: [fault],
    async look(site) {
      const { problems, allowed } = await visitScript(site)
      const problem = problems.find((each) => each.kind === kind)
      return problem ? fail(fault, sentenceOf(problem, allowed), remedy(site)) : pass(seen)
    },
  })

const bytes = without(
  { name: 'bytes', needs: [status], fault: 'other-bytes' },
  'bytes',
  'as they were uploaded',
  ({ settings }) => `Let the domain serve s3://${settings.bucket}, and let no server on the way change files.`,
)

const type = without(
  { name: 'Content-Type', needs: [bytes], fault: 'other-type' },
  'type',
  canaryType,
  () => 'Let the CDN pass on the Content-Type of the bucket.',
)

const cors = point({
  name: 'CORS',
  needs: [bytes],
  faults: ['refused', 'cached-without'],
  async look(site) {
    const { problems, allowed, fetched, page } = await visitScript(site)
    const problem = problems.find(({ kind }) => kind === 'cors')
    if (!problem)
      return pass(`Access-Control-Allow-Origin "${fetched.headers['access-control-allow-origin']}" for ${page.origin}`)
    if (await servesPages(rootOf(site), site.send)) return pass('the pages have the same origin and need no CORS')
    const fresh = await visit(site, await place(site, 'cors', '1', 'fingerprinted'))
    if (fresh.problems.length === 0) {
      const saw = `a cache gives scripts the response to an image, without Access-Control-Allow-Origin: ${problem.url}`
      return fail(
        'cached-without',
        saw,
        'Let the CDN cache by the header Origin (CloudFront: an origin request policy with Origin), or add the CORS headers itself (CloudFront: response headers policy SimpleCORS).',
      )
    }
    return fail(
      'refused',
      sentenceOf(problem, allowed),
      remediesOf([problem], false, allowed, site.settings).join('\n'),
    )
  },
})

const vary = point({
  name: 'Vary: Origin',
  needs: [cors],
  faults: ['missing'],
  async look(site) {
    const { image, fetched, problems } = await visitScript(site)
    const isSafe = ({ headers }: { headers: Record<string, string> }) =>
      headers['access-control-allow-origin'] === '*' || /\borigin\b/i.test(headers.vary ?? '')
    if (problems.length > 0 || (isSafe(image) && isSafe(fetched))) return pass('caches keep the responses apart')
    const saw = 'missing without Origin: a file that a page loads first without `crossorigin`, then with it, may fail'
    return hint(
      'missing',
      saw,
      'Load each file in the same way everywhere, or let a CDN add the CORS headers to all responses.',
    )
  },
})

/** A file that changes under its name, as pages do. */
const visitPage = shared(async (site) => {
  const first = await visit(site, await place(site, 'page', `${site.run} 1`, 'other'))
  const second = await visit(site, await place(site, 'page', `${site.run} 2`, 'other'))
  return { first, second }
})

const cacheControl = point({
  name: 'Cache-Control',
  needs: [bytes, replace],
  faults: ['kept-too-long', 'changed'],
  async look(site) {
    const { fingerprinted, other } = site.settings.cacheControl
    const served = (await visitScript(site)).fetched.headers['cache-control'] ?? ''
    const servedOther = (await visitPage(site)).first.fetched.headers['cache-control'] ?? ''
    const remedy =
      "Let the CDN pass on the bucket's Cache-Control (Cloudflare: Browser Cache TTL, Respect Existing Headers)."
    const saw = (uploaded: string, name: string) => `"${name}" instead of "${uploaded}"`
    if (secondsWithoutRevalidation(servedOther) > secondsWithoutRevalidation(other)) {
      return fail('kept-too-long', `${saw(other, servedOther)}: browsers show old pages`, remedy)
    }
    if (secondsWithoutRevalidation(served) !== secondsWithoutRevalidation(fingerprinted)) {
      return hint('changed', `${saw(fingerprinted, served)}: browsers revalidate files that never change`, remedy)
    }
    return pass(`"${served}" and "${servedOther}", as uploaded`)
  },
})

const oldCopies = point({
  name: 'old copies',
  needs: [bytes, replace],
  faults: ['kept'],
  async look(site) {
    const { first, second } = await visitPage(site)
    const isOld = decoded(second.fetched)?.equals(decoded(first.fetched) ?? Buffer.alloc(0))
    if (!isOld) return pass('visitors get a changed file at once')
    const remedy = 'Set the minimum TTL of the CDN to 0, so that it respects Cache-Control, and invalidate its cache.'
    return fail('kept', `a cache shows the old bytes of a changed file: ${second.file.url}`, remedy)
  },
})

/** Bytes of files that CDNs compress. */
const compressible = { least: 1000, most: 10_000_000 }

/** The largest script or stylesheet of the live release that a CDN compresses. Undefined if a request may leave a wrong response in a cache. */
async function visitLive(site: Site, files: LiveRelease['files']) {
  const { page } = await pageOf(site)
  const isHarmless = site.settings.customDomain === undefined || page.isKeepable
  const [largest] = [...files]
    .filter(([key, { size, isKept }]) => {
      const isText = /\.(m?js|css)$/.test(key) && size >= compressible.least && size <= compressible.most
      return isText && (isHarmless || !isKept)
    })
    .sort(([, a], [, b]) => b.size - a.size)
  if (!largest) return undefined
  const url = urlOf(site, largest[0]).href
  const fetched = await fetchAsPage(new URL(url), page.origin, site.send)
  return fetched.status === 200 ? { file: { url }, fetched } : undefined
}

const compression = point({
  name: 'compression',
  needs: [bytes],
  faults: ['none'],
  isNeeded: false,
  async look(site) {
    const live = await site.lastRelease().catch(() => undefined)
    const real = live && (await visitLive(site, live.files))
    if (!real && site.settings.compress) return pass('deploys store scripts and styles as gzip (AWS_IS_GZIPPED)')
    const { file, fetched } = real ?? (await visitScript(site))
    const sizes = [...(live?.files.values() ?? [])].map(({ size }) => size)
    const total = formatBytes(sizes.reduce((sum, size) => sum + size, 0))
    const all = live ? `; release ${live.release} has ${total} in the bucket` : ''
    const encoding = fetched.headers['content-encoding']
    const text = formatBytes((decoded(fetched) ?? fetched.body).length)
    if (encoding) return pass(`${encoding}: ${text} arrive as ${formatBytes(fetched.body.length)}: ${file.url}${all}`)
    const remedy = site.settings.compress
      ? 'If AWS_IS_GZIPPED was set after the last release, deploy again. Otherwise, keep the CDN from unpacking files.'
      : 'Set AWS_IS_GZIPPED=true, or let a CDN compress (CloudFront: Compress objects automatically). S3 itself does not.'
    return hint('none', `${text} are sent as they are: ${file.url}${all}`, remedy)
  },
})

const protocol = point({
  name: 'protocol',
  needs: [domain],
  faults: ['http-1'],
  async look(site) {
    const root = rootOf(site)
    const found = root.protocol === 'http:' ? 'http/1.1' : (await site.tls(root)).protocol
    if (found !== 'http/1.1') return pass(found)
    return hint(
      'http-1',
      `${found}: browsers fetch six files at a time`,
      'A CDN offers HTTP/2 and HTTP/3; S3 itself does not.',
    )
  },
})

export const visitors = [domain, protocol, status, bytes, type, cacheControl, oldCopies, cors, vary, compression]

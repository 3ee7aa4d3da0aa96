import { hash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type Bucket, largestToGet } from '../bucket/bucket.js'
import { fileOf } from '../files/built-file.js'
import { contentOf } from '../files/hash.js'
import { textType } from '../references/file-name.js'
import { StaticS3Error } from '../runtime/error.js'
import { eachInParallel } from '../runtime/parallel.js'
import { publicUrlsIn, urlRewriter } from './rewrite-urls.js'
import type { PromotedFile } from './source-release.js'

export interface Download {
  bucket: Bucket
  concurrency: number
  signal: AbortSignal
  /** The known public URLs of the old location. */
  fromUrls: readonly string[]
  /** The public URL of the new location. */
  toUrl: string
}

export interface Downloaded {
  /** The files that are on the disk, in their folder. */
  texts: ReadonlySet<PromotedFile>
  problems: string[]
}

/**
 * Downloads the files that may contain URLs, and adapts them to their new location: URLs in a file without a fingerprint are replaced. A
 * fingerprinted file cannot change under its name, so it must not contain the old location's URL.
 */
export async function downloadTexts(files: readonly PromotedFile[], download: Download): Promise<Downloaded> {
  const { bucket, concurrency, fromUrls, toUrl, signal } = download
  const texts = files.filter(mayHaveUrls)
  const fingerprinted = new Set(files.filter(({ group }) => group === 'fingerprinted').map(({ path }) => path))
  const oldUrls = new Set(fromUrls)
  await eachInParallel(concurrency, texts, async (file) => {
    const bytes = await bytesOf(file, bucket, signal)
    for (const url of publicUrlsIn(bytes.toString(), (path) => fingerprinted.has(path))) oldUrls.add(url)
    await mkdir(dirname(fileOf(file)), { recursive: true })
    await writeFile(fileOf(file), bytes)
  })
  const rewrite = urlRewriter(oldUrls, toUrl)
  const rewritten = new Set<string>()
  const problems: string[] = []
  for (const file of texts) {
    signal.throwIfAborted()
    // A byte is a character, because a script may hold any bytes.
    const text = await readFile(fileOf(file), 'latin1')
    const after = rewrite(text)
    problems.push(...problemsOf(file, after !== text))
    if (after === text) continue
    rewritten.add(file.path)
    await writeFile(fileOf(file), after, 'latin1')
  }
  for (const { path } of files) {
    const plain = path.replace(/\.(br|gz|zst)$/, '')
    if (plain === path || !rewritten.has(plain)) continue
    problems.push(
      `${path} is a compressed copy of a file that gets other URLs: leave it out of the deploy (exclude: '${path}')`,
    )
  }
  return { texts: new Set(texts), problems: problems.sort() }
}

/** The proof's languages, and lists of URLs: sitemaps, feeds, Next's payloads. */
function mayHaveUrls({ path, size }: PromotedFile): boolean {
  return size <= largestToGet && (textType(path) !== undefined || /\.(txt|xml|rss|atom)$/i.test(path))
}

function problemsOf({ path, group, parameters, original }: PromotedFile, isRewritten: boolean): string[] {
  const { ContentEncoding = 'identity' } = parameters
  if (ContentEncoding !== 'identity' && original === undefined) {
    return [`${path} is compressed (${ContentEncoding}), so its URLs can't be checked: store it without the encoding`]
  }
  return isRewritten && group === 'fingerprinted'
    ? [`${path} contains the URL of the location that it comes from: build with rewrite: 'relative'`]
    : []
}

/** Without the gzip of a deploy. */
async function bytesOf(file: PromotedFile, bucket: Bucket, signal: AbortSignal): Promise<Buffer> {
  const { source, sha256 } = file
  const stored = await bucket.get(source.key, signal)
  if (stored && contentOf(file) === sha256 && hash('sha256', stored) === sha256) return Buffer.from(stored)
  const bytes = stored && (await promisify(gunzip)(stored, { maxOutputLength: largestToGet }).catch(() => undefined))
  if (bytes && hash('sha256', bytes) === contentOf(file)) return bytes
  throw new StaticS3Error(`static-s3: ${source.key} changed meanwhile: run it again`)
}

import { hash } from 'node:crypto'
import { Parser } from 'htmlparser2'

/** A file of a build, and its content if it is text. */
export interface CspFile {
  path: string
  text?: string | undefined
}

const images = /\.(avif|bmp|gif|ico|jpe?g|png|svg|webp)$/i
const fonts = /\.(eot|otf|ttf|woff2?)$/i
const media = /\.(aac|flac|m4a|m4v|mov|mp3|mp4|oga|ogg|ogv|opus|wav|weba|webm)$/i
const manifests = /\.webmanifest$|(^|\/)manifest\.json$/i
const scripts = /\.m?js$/i

/** The part of a page's policy that a build's files need, with the origin that serves them. The page's server adds the app's own servers. */
export function contentSecurityPolicy(files: readonly CspFile[], origin: string): string {
  const some = (pattern: RegExp) => files.some(({ path }) => pattern.test(path))
  const says = (pattern: RegExp) => files.some(({ text }) => text !== undefined && pattern.test(text))
  const inline = inlineHashes(files.filter(({ path }) => /\.html?$/i.test(path)))
  // A hash would switch 'unsafe-inline' off.
  const styles = says(madeStyles) ? ["'unsafe-inline'"] : inline.style
  const isPlain = ({ path }: CspFile) =>
    ![images, fonts, media, manifests, scripts, /\.(css|html?)$/i].some((each) => each.test(path))
  const directives: [name: string, sources: (string | false)[] | false][] = [
    ['default-src', ["'self'"]],
    ['script-src', ["'self'", origin, some(/\.wasm$/i) && "'wasm-unsafe-eval'", ...inline.script]],
    ['style-src', (some(/\.css$/i) || styles.length > 0) && ["'self'", origin, ...styles]],
    ['img-src', (some(images) || says(/data:image\//)) && ["'self'", origin, says(/data:image\//) && 'data:']],
    ['font-src', (some(fonts) || says(inlineFont)) && ["'self'", origin, says(inlineFont) && 'data:']],
    ['media-src', some(media) && ["'self'", origin]],
    ['manifest-src', some(manifests) && ["'self'", origin]],
    // A script fetches anything else: WebAssembly, JSON, 3D models.
    ['connect-src', (files.some(isPlain) || says(/release\.json#static-s3/)) && ["'self'", origin]],
    // static-s3 makes a worker of another origin from a Blob.
    ['worker-src', says(/__staticS3Workers/) && ["'self'", 'blob:']],
    ['object-src', ["'none'"]],
    ['base-uri', ["'self'"]],
  ]
  return directives
    .flatMap(([name, sources]) => (sources ? [[name, ...sources.filter((each) => each !== false)].join(' ')] : []))
    .join('; ')
}

/** A style that a script inserts, or that an attribute has, has no hash that a build could tell. */
const madeStyles = /createElement\(["'`]style["'`]\)|\sstyle\s*=\s*["'`]/

const inlineFont = /data:(font|application\/(x-)?font)/

/** A browser runs an inline script if the policy has its hash. */
function inlineHashes(pages: readonly CspFile[]): { script: string[]; style: string[] } {
  const found = { script: new Set<string>(), style: new Set<string>() }
  for (const { text = '' } of pages) {
    let content: string | undefined
    const parser = new Parser({
      onopentag(name, { src }) {
        content = name === 'style' || (name === 'script' && src === undefined) ? '' : undefined
      },
      ontext(text) {
        if (content !== undefined) content += text
      },
      onclosetag(name) {
        if (content && (name === 'script' || name === 'style')) {
          // Browsers hash the text after line ends have become line feeds.
          found[name].add(`'sha256-${hash('sha256', content.replace(/\r\n?/g, '\n'), 'base64')}'`)
        }
        content = undefined
      },
    })
    parser.end(text)
  }
  return { script: [...found.script], style: [...found.style] }
}

import { publicUrlOf } from '../urls/public-url.js'
import { type Address, advise } from './advice.js'
import { fetchAsPage, reasonOf, type Send } from './page-fetch.js'
import { type AllowedOrigins, pageOrigin } from './page-origin.js'
import { type Problem, type PublicFile, problemsOf } from './problems.js'

export interface VisitInput {
  address: Address
  files: readonly PublicFile[]
  /** The key of a lock or record, which must not be public. */
  recordKey: string | undefined
  allowed: AllowedOrigins
  send: Send
}

/** Results of a visit, in sentences for the user. Empty if there is no problem. */
export interface View {
  /** The problems, with their remedies. */
  problem?: string
  /** Why the visit failed. */
  unreachable?: string
}

/** Looks at uploaded files through the public URL, as a browser with a page of another origin does. */
export async function visit(input: VisitInput): Promise<View> {
  const { address, allowed, recordKey, send } = input
  const root = new URL(publicUrlOf({ ...address, location: '' }))
  try {
    const [problems, recordIsPublic] = await Promise.all([
      findProblems(input, root),
      recordKey !== undefined && isPublic(new URL(recordKey, root), send),
    ])
    const publicRecord = recordIsPublic ? new URL(recordKey as string, root).href : undefined
    if (problems.length === 0 && publicRecord === undefined) return {}
    return { problem: advise({ problems, publicRecord, allowed }, address) }
  } catch (error) {
    return {
      unreachable: `${root.host} can't be reached from here (${reasonOf(error)}): static-s3 has not seen this release as visitors do`,
    }
  }
}

async function findProblems({ address, files, allowed, send }: VisitInput, root: URL): Promise<Problem[]> {
  const page = pageOrigin(allowed, address.endpoint === undefined)
  const isHarmless = address.customDomain === undefined || page.isKeepable
  const visited = files.filter(({ isKept }) => isHarmless || !isKept)
  const found = await Promise.all(
    visited.map(async (file) => problemsOf(file, await fetchAsPage(new URL(file.url), page.origin, send), page)),
  )
  const problems = oneOfEachKind(found.flat())
  const [first] = problems
  // A refused read shows nothing about CORS. The rules do.
  if (first?.kind === 'status' && allowed?.length === 0)
    problems.push({ kind: 'cors', url: first.url, allows: undefined })
  const needsCors = problems.some(({ kind }) => kind === 'cors') && !(await servesPages(root, send))
  return problems.filter(({ kind }) => kind !== 'cors' || needsCors)
}

function oneOfEachKind(problems: readonly Problem[]): Problem[] {
  return problems.filter(({ kind }, i) => problems.findIndex((other) => other.kind === kind) === i)
}

/** Some servers answer everything with status 200 and a page. */
export async function isPublic(url: URL, send: Send): Promise<boolean> {
  const { status, headers } = await send({ method: 'HEAD', url, headers: {} })
  return status === 200 && /^application\/json\b/.test(headers['content-type'] ?? '')
}

/** True if the pages may have the files' origin and thus need no CORS. */
export async function servesPages(root: URL, send: Send): Promise<boolean> {
  const { status, headers, url } = await fetchAsPage(root, root.origin, send)
  return status === 200 && url.origin === root.origin && /\bhtml\b/.test(headers['content-type'] ?? '')
}

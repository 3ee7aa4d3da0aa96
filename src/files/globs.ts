import picomatch from 'picomatch'

type Matcher = (path: string) => boolean

/** True if one of the globs matches. */
export function matcher(globs: readonly string[]): Matcher {
  const matchers = globs.map(globMatcher)
  return (path) => matchers.some((matches) => matches(path))
}

/**
 * As in `.gitignore`: a glob that matches a folder matches all files in it, a slash at the end allows folders only, and a glob without another
 * slash matches at any depth.
 */
export function globMatcher(glob: string): Matcher {
  const onlyFolders = glob.endsWith('/')
  // `!(*.map)` would match nearly every folder.
  const onlyFiles = !onlyFolders && glob.includes('!(')
  const bare = glob.replace(/\/$/, '')
  const pattern = bare.replace(/^\.?\//, '')
  // Without this option, picomatch on Windows reads `\` as a slash.
  const match = (text: string) => picomatch(text, { dot: true, windows: false })
  const matches = match(pattern)
  if (bare.includes('/')) {
    const matchesFolder = onlyFiles ? () => false : match(`${pattern}/**/*`)
    return (path) => (!onlyFolders && matches(path)) || matchesFolder(path)
  }
  return (path) => {
    const folders = path.split('/')
    const file = folders.pop() as string
    return (!onlyFolders && matches(file)) || (!onlyFiles && folders.some((folder) => matches(folder)))
  }
}

/** The globs that match no path, each with its setting's name in front and a likely fix. */
export function unmatchedGlobs(
  settings: Readonly<Record<string, readonly string[]>>,
  paths: readonly string[],
): string[] {
  return Object.entries(settings).flatMap(([setting, globs]) =>
    globs
      .filter((glob) => !paths.some(globMatcher(glob)))
      .map((glob) => `${setting} ${JSON.stringify(glob)}${likelyFix(glob, paths)}`),
  )
}

/** A user may have begun a glob with the output folder's name, or with `public`. */
function likelyFix(glob: string, paths: readonly string[]): string {
  const inside = glob.replace(/^(\.?\/)?[^/]+\/(?=[^/])/, '')
  if (inside === glob) return ''
  const hint = paths.some(globMatcher(inside)) ? `: try ${JSON.stringify(inside)}` : ''
  return ` (a glob begins inside the output folder${hint})`
}

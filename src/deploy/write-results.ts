import { appendFile, writeFile } from 'node:fs/promises'
import { type Failure, type Result, resultAsMarkdown, resultsAsJson } from '../report/result.js'
import type { Settings } from '../settings/settings.js'

/** Writes all results of the run into the user's report, and the last result into the CI job's summary. */
export async function writeResults(
  { report }: Pick<Settings, 'report'>,
  results: readonly (Result | Failure)[],
  warn: (message: string) => void,
): Promise<void> {
  const { GITHUB_STEP_SUMMARY: summary } = process.env
  const last = results.at(-1)
  try {
    if (report !== undefined) await writeFile(report, resultsAsJson(results))
    if (summary && last) await appendFile(summary, resultAsMarkdown(last))
  } catch (error) {
    const { path, code } = error as NodeJS.ErrnoException
    warn(`the results could not be written to ${path} (${code})`)
  }
}

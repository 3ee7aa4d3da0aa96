import { readdirSync, readFileSync } from 'node:fs'

/** The number of files and sockets that this process may still open (`ulimit -n`). Infinite on Windows, and if the system shows no limit. */
export function freeDescriptors(): number {
  if (process.platform === 'win32') return Number.POSITIVE_INFINITY
  try {
    const limit = Number(softLimit())
    return Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit - readdirSync('/dev/fd').length
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

function softLimit(): string | number | undefined {
  // A report takes 20 ms.
  if (process.platform === 'linux')
    return /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft: string | number } } }
  return report.userLimits?.open_files?.soft
}

import { readdirSync, readFileSync } from 'node:fs'

/** How many more files and sockets this process may open (`ulimit -n`). Infinite on Windows, and where the system does not tell. */
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

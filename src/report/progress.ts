import { clearLine, cursorTo } from 'node:readline'
import type { WriteStream } from 'node:tty'
import pc from 'picocolors'
import type { Done } from '../release/upload/what-visitors-see.js'
import { formatBytes } from './report.js'

export interface Progress {
  update(done: Done, all: Done): void
  /** Removes the bar, so that other output can be printed. */
  clear(): void
}

/** Milliseconds. A shorter upload shows no bar. */
const patience = 500

/** Draws a bar on one line of a terminal, at most ten times a second. Without a terminal, it draws nothing. */
export function showProgress(terminal: WriteStream | undefined): Progress {
  if (!terminal) return { update() {}, clear() {} }
  const begun = performance.now()
  let drawn = 0
  return {
    update(done, all) {
      const now = performance.now()
      if (now - begun < patience || now - drawn < 100) return
      drawn = now
      const share = all.bytes === 0 ? done.files / all.files : done.bytes / all.bytes
      const width = 24
      const full = Math.round(share * width)
      const bar = pc.green('━'.repeat(full)) + pc.dim('━'.repeat(width - full))
      clearLine(terminal, 0)
      cursorTo(terminal, 0)
      terminal.write(
        `${pc.cyan('static-s3')} ${bar} ${done.files}/${all.files} files, ${formatBytes(done.bytes)} of ${formatBytes(all.bytes)}`,
      )
    },
    clear() {
      if (drawn === 0) return
      clearLine(terminal, 0)
      cursorTo(terminal, 0)
    },
  }
}

/** The stream, if it is a terminal that a person looks at: not in CI, and not in a pipe. */
export function terminalOf(stream: WriteStream | undefined): WriteStream | undefined {
  return stream?.isTTY && !process.env.CI && process.env.TERM !== 'dumb' ? stream : undefined
}

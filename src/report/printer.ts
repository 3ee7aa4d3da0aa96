import { printable } from '../runtime/printable.js'
import { type ReportInput, report } from './report.js'

/** The bundler's own log, with static-s3's name before each message. */
export interface Logger {
  info(message: string): void
  warn(message: string): void
}

/** A log that escapes control characters in foreign names and messages, and keeps the report's own colours. */
export interface Printer extends Logger {
  report(input: ReportInput): void
}

export function printerOf(logger: Logger): Printer {
  return {
    info: (message) => logger.info(printable(message)),
    warn: (message) => logger.warn(printable(message)),
    report: (input) => logger.info(report(input)),
  }
}

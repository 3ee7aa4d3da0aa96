import { printable } from '../runtime/printable.js'
import { type ReportInput, report } from './report.js'

/** The bundler's own log, with static-s3's name before each message. */
export interface Logger {
  info(message: string): void
  warn(message: string): void
}

/** A log that escapes control characters in foreign names and messages, and keeps the report's own colours. */
export interface Printer extends Logger {
  /** All warnings so far. */
  readonly warnings: readonly string[]
  report(input: ReportInput): void
}

/** @param clear makes room for a message */
export function printerOf(logger: Logger, clear = () => {}): Printer {
  const warnings: string[] = []
  return {
    warnings,
    info(message) {
      clear()
      logger.info(printable(message))
    },
    warn(message) {
      clear()
      warnings.push(message)
      logger.warn(printable(message))
    },
    report: (input) => logger.info(report(input)),
  }
}

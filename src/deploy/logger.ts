import pc from 'picocolors'
import type { Logger } from '../report/printer.js'

export type { Logger } from '../report/printer.js'

/** Puts static-s3's name before each message, for a log that does not say which plugin prints. */
export function namedLogger({ info, warn }: Logger): Logger {
  return {
    info: (message) => info(`${pc.cyan('static-s3')} ${message}`),
    warn: (message) => warn(pc.yellow(`static-s3: ${message}`)),
  }
}

/** Holds messages until the framework has a log. */
export function waitingLogger(logger: Promise<Logger>): Logger {
  return {
    info: async (message) => (await logger).info(message),
    warn: async (message) => (await logger).warn(message),
  }
}

/**
 * Keeps the error of a `credential_process`. The SDK's chain continues with the next source of credentials, and its last error does not give
 * the reason.
 */
export function keepReason(): { debug(text: unknown): void; explain(error: unknown): never } {
  let reason: string | undefined
  return {
    debug(text) {
      // The command line may contain a password: only the command's own output is kept.
      const [, failed, words = ''] =
        /-> (Command failed: [^\n]*|(?=Profile \S+ credential_process (?:returned|did not return)))(.*)/s.exec(
          String(text),
        ) ?? []
      if (failed !== undefined)
        reason ??= words.replace(/^Profile \S+ credential_process /, 'it ').trim() || 'it failed'
    },
    explain(error) {
      const message = `credential_process: ${reason}`
      throw reason !== undefined && error instanceof Error ? Object.assign(error, { message }) : error
    },
  }
}

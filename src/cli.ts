#!/usr/bin/env node
import { runCommand } from './cli/command.js'

// Who reads may have enough: `static-s3 plan dist --json | head`.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1))

// Not `process.exit`: what is printed may still be on its way into a pipe.
void runCommand(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})

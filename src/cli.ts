#!/usr/bin/env node
import { runCommand } from './cli/command.js'

// The reader of a pipe may close it: `static-s3 plan dist --json | head`.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1))

// Not `process.exit`, which drops output that a pipe has not taken yet.
void runCommand(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})

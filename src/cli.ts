#!/usr/bin/env node
import { runCommand } from './cli/command.js'

// Not `process.exit`: what is printed may still be on its way into a pipe.
void runCommand(process.argv.slice(2)).then((code) => {
  process.exitCode = code
})

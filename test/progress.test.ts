import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { showProgress, terminalOf } from '../src/core/progress.js'

/** A stream that keeps what is drawn on it. */
function screen(): { terminal: WriteStream; drawn: () => string } {
  const stream = new PassThrough()
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const terminal = Object.assign(stream, { isTTY: true, columns: 100 }) as unknown as WriteStream
  return { terminal, drawn: () => Buffer.concat(chunks).toString() }
}

describe('the bar', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  test('says how far it is, and is gone at the end', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal, { files: 4, bytes: 4000 })
    vi.advanceTimersByTime(600)
    progress.update({ files: 1, bytes: 1000 })
    expect(stripVTControlCharacters(drawn())).toMatch(/static-s3 ━{24} 1\/4 files, 1\.00 kB of 4\.00 kB$/)
    const before = drawn().length
    progress.end()
    expect(drawn().slice(before)).toBe('\u001b[2K\u001b[1G')
  })

  test('is not drawn for an upload that is soon over', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal, { files: 1, bytes: 1 })
    vi.advanceTimersByTime(400)
    progress.update({ files: 1, bytes: 1 })
    progress.end()
    expect(drawn()).toBe('')
  })

  test('is drawn at most ten times a second, and for empty files too', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal, { files: 100, bytes: 0 })
    vi.advanceTimersByTime(1000)
    for (let files = 1; files <= 50; files++) progress.update({ files, bytes: 0 })
    expect(drawn().match(/files,/g)).toHaveLength(1)
    vi.advanceTimersByTime(100)
    progress.update({ files: 51, bytes: 0 })
    expect(drawn().match(/files,/g)).toHaveLength(2)
  })

  test('draws nothing without a terminal or without files', () => {
    const { terminal, drawn } = screen()
    for (const progress of [
      showProgress(undefined, { files: 2, bytes: 2 }),
      showProgress(terminal, { files: 0, bytes: 0 }),
    ]) {
      vi.advanceTimersByTime(1000)
      progress.update({ files: 1, bytes: 1 })
      progress.end()
    }
    expect(drawn()).toBe('')
  })
})

describe('the terminal', () => {
  const { terminal } = screen()
  beforeEach(() => {
    vi.stubEnv('CI', undefined)
    vi.stubEnv('TERM', 'xterm')
  })
  afterEach(() => void vi.unstubAllEnvs())

  test('is one where there is one', () => expect(terminalOf(terminal, false)).toBe(terminal))
  test('is none where the bundler is silent', () => expect(terminalOf(terminal, true)).toBeUndefined())
  test('is none in a pipe', () => expect(terminalOf({ isTTY: false } as WriteStream, false)).toBeUndefined())
  test.each([
    ['CI', 'true'],
    ['TERM', 'dumb'],
  ])('is none with %s=%s', (name, value) => {
    vi.stubEnv(name, value)
    expect(terminalOf(terminal, false)).toBeUndefined()
  })
})

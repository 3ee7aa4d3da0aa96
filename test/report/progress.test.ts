import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { showProgress, terminalOf } from '../../src/report/progress.js'

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

  test('shows files and bytes, and clear removes it', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal)
    vi.advanceTimersByTime(600)
    progress.update({ files: 1, bytes: 1000 }, { files: 4, bytes: 4000 })
    expect(stripVTControlCharacters(drawn())).toMatch(/static-s3 ━{24} 1\/4 files, 1\.00 kB of 4\.00 kB$/)
    const before = drawn().length
    progress.clear()
    expect(drawn().slice(before)).toBe('\u001b[2K\u001b[1G')
  })

  test('is not drawn for a short upload', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal)
    vi.advanceTimersByTime(400)
    progress.update({ files: 1, bytes: 1 }, { files: 1, bytes: 1 })
    progress.clear()
    expect(drawn()).toBe('')
  })

  test('is drawn at most ten times a second, and for empty files too', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal)
    const all = { files: 100, bytes: 0 }
    vi.advanceTimersByTime(1000)
    for (let files = 1; files <= 50; files++) progress.update({ files, bytes: 0 }, all)
    expect(drawn().match(/files,/g)).toHaveLength(1)
    vi.advanceTimersByTime(100)
    progress.update({ files: 51, bytes: 0 }, all)
    expect(drawn().match(/files,/g)).toHaveLength(2)
  })

  test('is drawn again after clear, with the new totals', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal)
    vi.advanceTimersByTime(1000)
    progress.update({ files: 1, bytes: 1000 }, { files: 4, bytes: 4000 })
    progress.clear()
    const before = drawn().length
    vi.advanceTimersByTime(100)
    progress.update({ files: 2, bytes: 2000 }, { files: 6, bytes: 6000 })
    expect(stripVTControlCharacters(drawn().slice(before))).toMatch(/static-s3 ━{24} 2\/6 files, 2\.00 kB of 6\.00 kB$/)
  })

  test('writes nothing on clear if it was never drawn', () => {
    const { terminal, drawn } = screen()
    const progress = showProgress(terminal)
    vi.advanceTimersByTime(1000)
    progress.clear()
    expect(drawn()).toBe('')
  })

  test('is not drawn without a terminal', () => {
    const progress = showProgress(undefined)
    vi.advanceTimersByTime(1000)
    progress.update({ files: 1, bytes: 1 }, { files: 2, bytes: 2 })
    progress.clear()
  })
})

describe('the terminal', () => {
  const { terminal } = screen()
  beforeEach(() => {
    vi.stubEnv('CI', undefined)
    vi.stubEnv('TERM', 'xterm')
  })
  afterEach(() => void vi.unstubAllEnvs())

  test('is the stream of a terminal', () => expect(terminalOf(terminal)).toBe(terminal))
  test('is undefined if the bundler is silent', () => expect(terminalOf(undefined)).toBeUndefined())
  test('is undefined in a pipe', () => expect(terminalOf({ isTTY: false } as WriteStream)).toBeUndefined())
  test.each([
    ['CI', 'true'],
    ['TERM', 'dumb'],
  ])('is none with %s=%s', (name, value) => {
    vi.stubEnv(name, value)
    expect(terminalOf(terminal)).toBeUndefined()
  })
})

import { bucket, environment, location } from './cell.js'
import { measure } from './measure.js'
import { cacheFolder } from './paths.js'
import type { ServerCheck } from './results.js'
import type { BenchServer } from './server/start.js'
import type { Tool } from './tools/tool.js'
import type { Folders } from './work/folder.js'
import type { Work } from './work/works.js'

interface Input {
  work: Work
  folders: Folders
  latency: number
  limit: Tool
  server: BenchServer
  /** One that says 200 to everything, and keeps nothing. */
  answerOnly: BenchServer
  rounds: number
  timeout: number
}

/** What the fastest client takes with our server, with one that does next to nothing, and how much of that time our server is at work. */
export async function checkServer(input: Input): Promise<ServerCheck> {
  const { work, folders, latency, limit, server, answerOnly, rounds, timeout } = input
  const check: ServerCheck = { work: work.name, latency, s3: [], answerOnly: [], busy: [] }
  const send = async (to: BenchServer) => {
    await to.reset()
    await to.figures()
    const deploy = { folder: folders.first, endpoint: to.endpoint, bucket, location, home: cacheFolder }
    const { output } = await measure(
      { argv: limit.command(deploy), cwd: cacheFolder, env: environment(cacheFolder) },
      timeout,
    )
    const { cpuSeconds } = await to.figures()
    const milliseconds = limit.ownFigures?.(output).milliseconds as number
    return { milliseconds, busy: (cpuSeconds * 1000) / milliseconds }
  }
  for (const each of [server, answerOnly]) {
    await each.know(folders.knownFile)
    await each.setLatency(latency)
    await send(each)
  }
  for (let round = 0; round < rounds; round++) {
    for (const each of round % 2 === 0 ? [server, answerOnly] : [answerOnly, server]) {
      const { milliseconds, busy } = await send(each)
      if (each === server) check.busy.push(busy)
      check[each === server ? 's3' : 'answerOnly'].push(milliseconds)
    }
  }
  return check
}

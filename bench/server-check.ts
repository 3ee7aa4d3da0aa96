import { bucket, environment, location } from './environment.js'
import { measure } from './measure.js'
import { cacheFolder } from './paths.js'
import type { Protocol, ServerCheck } from './results.js'
import type { BenchServer } from './server/start.js'
import type { Tool } from './tools/tool.js'
import type { Folders } from './work/folder.js'
import type { Work } from './work/works.js'

interface Input {
  work: Work
  folders: Folders
  latency: number
  protocol: Protocol
  limit: Tool
  server: BenchServer
  /** A server that answers 200 to every request and keeps nothing. */
  answerOnly: BenchServer
  rounds: number
  timeout: number
}

/** Shows that the server is not the bottleneck: the limit's time with it and with a server that only answers, and the server's CPU time. */
export async function checkServer(input: Input): Promise<ServerCheck> {
  const { work, folders, latency, protocol, limit, server, answerOnly, rounds, timeout } = input
  const check: ServerCheck = { work: work.name, latency, protocol, s3: [], answerOnly: [], busy: [], cpuPerRequest: [] }
  const send = async (to: BenchServer) => {
    await to.reset()
    await to.figures()
    const certificate = protocol === 'https' ? to.certificate : undefined
    const endpoint = to.endpoints[protocol]
    const deploy = { folder: folders.first, endpoint, certificate, bucket, location, home: cacheFolder }
    const env = environment(cacheFolder, certificate)
    const { output } = await measure({ argv: limit.command(deploy), cwd: cacheFolder, env }, timeout)
    const { cpuSeconds } = await to.figures()
    return { milliseconds: limit.ownFigures?.(output).milliseconds as number, serverCpu: cpuSeconds * 1000 }
  }
  for (const each of [server, answerOnly]) {
    await each.know(folders.knownFile)
    await each.setLatency(latency)
    await send(each)
  }
  for (let round = 0; round < rounds; round++) {
    for (const each of round % 2 === 0 ? [server, answerOnly] : [answerOnly, server]) {
      const { milliseconds, serverCpu } = await send(each)
      check[each === server ? 's3' : 'answerOnly'].push(milliseconds)
      if (each !== server) continue
      check.busy.push(serverCpu / milliseconds)
      check.cpuPerRequest.push(serverCpu / folders.first.files.length)
    }
  }
  return check
}

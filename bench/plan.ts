import type { Phase, Protocol } from './results.js'
import { phases } from './results.js'
import { allTools } from './tools/index.js'
import type { WorkName } from './work/works.js'

/** Rows that are measured side by side. */
export interface CellPlan {
  work: WorkName
  protocol: Protocol
  latency: number
  phases: readonly Phase[]
  rounds: number
  tools: readonly string[]
}

export interface Plan {
  cells: readonly CellPlan[]
  viteBuilds: readonly { work: WorkName; latency: number; rounds: number }[]
}

const https = { protocol: 'https', phases } as const
/** No target compares deploys over plain HTTP in which five files changed. */
const http = { protocol: 'http', phases: ['first', 'rebuild'] } as const
export const toolNames = allTools(0).map(({ name }) => name)
const ours = ['static-s3']
/** Every peer that has been the fastest correct one, and those that come close. */
const fast = ['static-s3', 'limit', 's5cmd sync', 'rclone copy', 's3-sync-client']

/** Only the rows that the targets need: some 10 minutes. */
export const targetsPlan: Plan = {
  cells: [
    { ...https, work: 'many-small', latency: 20, rounds: 5, tools: fast },
    { ...https, work: 'many-small', latency: 60, rounds: 5, tools: fast },
    { ...http, work: 'many-small', latency: 20, rounds: 5, tools: fast },
    { ...https, work: 'site', latency: 20, rounds: 2, tools: ours },
    { ...https, work: 'large', latency: 20, rounds: 2, tools: ours },
    { ...https, work: 'twenty-thousand', latency: 20, rounds: 2, tools: ours },
    { ...https, work: 'hundred-thousand', latency: 20, rounds: 1, tools: ours },
  ],
  viteBuilds: [{ work: 'many-small', latency: 20, rounds: 5 }],
}

export const fullPlan: Plan = {
  cells: [
    { ...https, work: 'many-small', latency: 20, rounds: 5, tools: toolNames },
    { ...https, work: 'many-small', latency: 60, rounds: 5, tools: toolNames },
    { ...http, work: 'many-small', latency: 20, rounds: 5, tools: toolNames },
    { ...https, work: 'site', latency: 20, rounds: 5, tools: toolNames },
    { ...https, work: 'site', latency: 60, rounds: 5, tools: toolNames },
    { ...https, work: 'large', latency: 20, rounds: 3, tools: toolNames },
    { ...https, work: 'twenty-thousand', latency: 20, rounds: 3, tools: toolNames },
    { ...https, work: 'hundred-thousand', latency: 20, rounds: 2, tools: ours },
  ],
  viteBuilds: [
    { work: 'many-small', latency: 20, rounds: 9 },
    { work: 'many-small', latency: 60, rounds: 9 },
    { work: 'site', latency: 20, rounds: 9 },
    { work: 'site', latency: 60, rounds: 9 },
  ],
}

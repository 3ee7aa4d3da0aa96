import { awsCli, rclone, s3cmd, s5cmd } from './command-line.js'
import { django } from './django.js'
import { limit } from './limit.js'
import { s3SyncClient, viteS3, webpackS3 } from './npm-peers.js'
import { ours } from './ours.js'
import type { Tool } from './tool.js'

/** @param sockets how many the limit opens */
export function allTools(sockets: number): Tool[] {
  return [ours, limit(sockets), s5cmd, s3SyncClient, rclone, viteS3, webpackS3, awsCli, s3cmd, django]
}

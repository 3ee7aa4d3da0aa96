import type { Measured } from '../measure.js'
import type { Folder } from '../work/folder.js'

/** A program that uploads a folder to a bucket. */
export interface Tool {
  name: string
  /** How the bench calls it, for the report. */
  setting: string
  /** How to install it, for the report. */
  install?: string
  /** True for a tool that skips nothing, so that only its first deploy says anything. */
  firstOnly?: boolean
  /** Resolves to its version, or to undefined if it is not installed. */
  find(): Promise<string | undefined>
  command(deploy: Deploy): string[]
  /** Variables besides credentials and certificates. */
  env?(deploy: Deploy): Record<string, string>
  /** Figures that the tool measured and printed itself. They replace those measured from outside. */
  ownFigures?(output: string): Partial<Measured> & { memoryBeyondBytes?: number }
}

/** One run's input. */
export interface Deploy {
  folder: Folder
  endpoint: string
  /** The PEM file with the server's certificate; undefined without TLS. */
  certificate: string | undefined
  bucket: string
  location: string
  /** The tool's own home folder, for its configuration files. Kept between runs. */
  home: string
}

import type { Measured } from '../measure.js'
import type { Folder } from '../work/folder.js'

/** Something that brings a folder into a bucket. */
export interface Tool {
  name: string
  /** How it was called and set, for the report. */
  setting: string
  /** Where it comes from. */
  install?: string
  /** Only the first deploy makes sense. */
  firstOnly?: boolean
  /** Its version; undefined where it isn't there. Also what has to be done once before it is run. */
  find(): Promise<string | undefined>
  command(deploy: Deploy): string[]
  /** Beside the credentials. */
  env?(deploy: Deploy): Record<string, string>
  /** What it measured itself, from what it printed, in place of what was measured from outside. */
  ownFigures?(output: string): Partial<Measured> & { memoryBeyondBytes?: number }
}

/** What a tool is told. */
export interface Deploy {
  folder: Folder
  endpoint: string
  bucket: string
  location: string
  /** An empty folder of the tool's own, for what it has to be told in files. Kept between runs. */
  home: string
}

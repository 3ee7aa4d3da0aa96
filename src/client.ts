/**
 * For application code in a browser. Its types also come by `"types": ["static-s3/client"]` in tsconfig.json, or by
 * `/// <reference types="static-s3/client" />`.
 */
export { reloadOnMissingChunk } from './client/missing-chunk.js'
export { type NewReleaseOptions, onNewRelease } from './client/new-release.js'

export interface StaticUrl {
  /**
   * The URL of the static files, with a slash at its end: the bucket's public URL if static-s3 is on, otherwise Vite's `base` or
   * `output.publicPath`.
   */
  readonly STATIC_URL: string
}

declare global {
  /** Vite */
  interface ImportMetaEnv extends StaticUrl {}
  namespace NodeJS {
    /** webpack and Rspack. Optional, because the `env` of a child process does not need it. */
    interface ProcessEnv extends Partial<StaticUrl> {}
  }
}

/**
 * What static-s3 defines for application code. Use it with `"types": ["static-s3/client"]` in tsconfig.json, or
 * `/// <reference types="static-s3/client" />`.
 */
export interface StaticUrl {
  /**
   * The URL of the static files, with a slash at its end: the bucket's when static-s3 is on, the ordinary one (Vite's `base`,
   * `output.publicPath`) when it is not.
   */
  readonly STATIC_URL: string
}

declare global {
  /** Vite */
  interface ImportMetaEnv extends StaticUrl {}
  namespace NodeJS {
    /** webpack and Rspack. Optional, since an `env` of one's own for a child process needs none. */
    interface ProcessEnv extends Partial<StaticUrl> {}
  }
}

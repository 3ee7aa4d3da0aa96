/**
 * Types of what static-s3 defines for application code. Use them with `"types": ["static-s3/client"]` in tsconfig.json, or
 * `/// <reference types="static-s3/client" />`.
 */
declare global {
  interface ImportMetaEnv {
    /** Vite: the URL of the static files, with a slash at its end: the bucket's when static-s3 is on, Vite's `base` when not. */
    readonly STATIC_URL: string
  }
  interface ImportMeta {
    readonly env: ImportMetaEnv
  }
  namespace NodeJS {
    interface ProcessEnv {
      /** webpack and Rspack: the same, with `output.publicPath` in place of `base`. */
      readonly STATIC_URL: string
    }
  }
}

export {}

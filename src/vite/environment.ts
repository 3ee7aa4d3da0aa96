import type { ResolvedConfig } from 'vite'

/** The build that a hook is called for: one of the environments of Vite 6 and later, or Vite 5's only build. */
export interface BuildEnvironment {
  name: string
  /** Whether a server runs the bundle, not a browser. */
  serverSide: boolean
  build: ResolvedConfig['build']
  /** The same object for all hooks of one build. */
  identity: object
}

/**
 * @param context a hook's `this`
 * @param config for Vite 5; later versions resolve one configuration for each environment and pass all of them to one plugin
 * @see https://vite.dev/guide/api-environment-plugins
 */
export function environmentOf(context: object, config: ResolvedConfig): BuildEnvironment {
  const { environment } = context as {
    environment?: { name: string; config: { consumer: string; build: ResolvedConfig['build'] } }
  }
  if (!environment)
    return { name: 'client', serverSide: Boolean(config.build.ssr), build: config.build, identity: config }
  const { name, config: own } = environment
  return { name, serverSide: own.consumer === 'server', build: own.build, identity: environment }
}

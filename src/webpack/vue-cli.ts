/**
 * The part of a build by vue-cli that this process does; undefined if there is one part only. For browsers without modules, vue-cli builds
 * twice, each time in a process of its own and into the same folder. The page of the second pass has the files of both.
 */
export function passOfVueCli(env: Record<string, string | undefined>): 'for old browsers' | 'last' | undefined {
  if (!env.VUE_CLI_MODERN_MODE) return undefined
  return env.VUE_CLI_MODERN_BUILD ? 'last' : 'for old browsers'
}

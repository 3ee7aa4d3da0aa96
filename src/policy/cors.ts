import type { CorsRule } from '../bucket/configuration.js'

/** Tells our rule from others. */
const id = 'StaticS3'

/**
 * Lets pages of these origins load modules, fonts and everything else that a browser fetches with CORS.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
 */
export function corsRule(origins: readonly string[] = ['*']) {
  const methods = ['GET', 'HEAD']
  return { ID: id, AllowedMethods: methods, AllowedOrigins: [...origins], AllowedHeaders: ['*'] } satisfies CorsRule
}

/** True if this rule, as S3 returns it, lets pages of the origin read. */
export function allowsOrigin({ AllowedMethods = [], AllowedOrigins = [] }: Partial<CorsRule>, origin: string): boolean {
  const matches = (pattern: string) => {
    const [start = '', end] = pattern.split('*')
    return end === undefined ? pattern === origin : origin.startsWith(start) && origin.endsWith(end)
  }
  return AllowedMethods.includes('GET') && AllowedOrigins.some(matches)
}

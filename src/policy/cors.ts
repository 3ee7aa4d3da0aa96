import type { CorsRule as Allowed } from '../bucket/configuration.js'

/** As the AWS SDK and its command line write a rule. */
export interface CorsRule {
  /** Tells our rule from others. */
  ID: string
  AllowedMethods: string[]
  /** `https://www.example.com`, or `*` for every origin. */
  AllowedOrigins: string[]
  AllowedHeaders: string[]
}

const id = 'StaticS3'

/**
 * Lets pages of these origins load modules, fonts and everything else that a browser fetches with CORS.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
 */
export function corsRules(origins: readonly string[] = ['*']): CorsRule[] {
  return [{ ID: id, AllowedMethods: ['GET', 'HEAD'], AllowedOrigins: [...origins], AllowedHeaders: ['*'] }]
}

/** True if this rule, as S3 returns it, lets pages of the origin read. */
export function allowsOrigin({ AllowedMethods = [], AllowedOrigins = [] }: Partial<Allowed>, origin: string): boolean {
  const matches = (pattern: string) => {
    const [start = '', end] = pattern.split('*')
    return end === undefined ? pattern === origin : origin.startsWith(start) && origin.endsWith(end)
  }
  return AllowedMethods.includes('GET') && AllowedOrigins.some(matches)
}

import type { CorsRule as Allowed } from '../bucket/configuration.js'

export interface CorsRule {
  ID: string
  AllowedMethods: string[]
  AllowedOrigins: string[]
  AllowedHeaders: string[]
}

/** Lets pages of these origins load modules, fonts and everything else that a browser fetches with CORS. */
export function corsRules(origins: readonly string[] = ['*']): CorsRule[] {
  return [{ ID: 'StaticS3', AllowedMethods: ['GET', 'HEAD'], AllowedOrigins: [...origins], AllowedHeaders: ['*'] }]
}

/** True if this rule, as S3 returns it, lets pages of the origin read. */
export function allowsOrigin({ AllowedMethods = [], AllowedOrigins = [] }: Partial<Allowed>, origin: string): boolean {
  const matches = (pattern: string) => {
    const [start = '', end] = pattern.split('*')
    return end === undefined ? pattern === origin : origin.startsWith(start) && origin.endsWith(end)
  }
  return AllowedMethods.includes('GET') && AllowedOrigins.some(matches)
}

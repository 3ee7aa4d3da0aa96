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

import { type DocusaurusContext, type FinishedSite, Locale, type WebpackConfig } from './frameworks/docusaurus.js'
import type { Options } from './settings/options.js'

export type { DocusaurusContext, FinishedSite, WebpackConfig } from './frameworks/docusaurus.js'
export type { Options, Result, Rule } from './settings/options.js'

/** The part of Docusaurus' `Plugin` that is used here. */
export interface DocusaurusPlugin {
  name: string
  contentLoaded(given: { actions: { createData(name: string, content: string): Promise<string> } }): Promise<void>
  configureWebpack(config: WebpackConfig): object
  postBuild(built: FinishedSite): Promise<void>
}

/**
 * Uploads the files of a Docusaurus site to S3 and points its URLs there, if the environment says so (`USE_S3`).
 *
 * @param options `Options`: they override the environment; all can be left out
 * @see https://docusaurus.io/docs/api/plugin-methods
 */
export async function staticS3(
  context: DocusaurusContext,
  // Docusaurus' own type.
  options: unknown = {},
): Promise<DocusaurusPlugin> {
  // Docusaurus gives every plugin an `id`.
  const { id: _id, ...own }: Options & { id?: string } = Object(options)
  const locale = await Locale.begin(context, own)
  return {
    name: 'static-s3',
    contentLoaded: ({ actions }) => locale.replaceBaseUrl(actions.createData),
    configureWebpack: (config) => locale.configure(config),
    async postBuild(built) {
      locale.finish(built)
    },
  }
}

export default staticS3

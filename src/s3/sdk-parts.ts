/*
 * The parts of the SDK that sign a request and send it, and that read its environment variables and shared config files. The build puts what is
 * used of them into this package's own files, with their licenses: from their own they take eight times as long to load, 45 ms of each build.
 */
export {
  loadConfig,
  NODE_REGION_CONFIG_FILE_OPTIONS,
  NODE_REGION_CONFIG_OPTIONS,
  NODE_USE_DUALSTACK_ENDPOINT_CONFIG_OPTIONS,
  NODE_USE_FIPS_ENDPOINT_CONFIG_OPTIONS,
  resolveRegionConfig,
} from '@smithy/core/config'
export { extendedEncodeURIComponent, HttpRequest } from '@smithy/core/protocols'
export { NodeHttpHandler } from '@smithy/node-http-handler'
export { SignatureV4 } from '@smithy/signature-v4'

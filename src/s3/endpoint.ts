import { createSdkClient, loadSdk } from './sdk.js'

/**
 * The endpoint that the SDK's own settings name, or undefined for AWS: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the
 * `endpoint_url` of the profile in `AWS_PROFILE`
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
 *
 * `openBucket` goes by its settings alone, so that upload and public URL can't end up on two stores: ask here where
 * they name none.
 */
export async function findEndpoint(): Promise<string | undefined> {
  const client = createSdkClient(await loadSdk(), { region: 'us-east-1' })
  try {
    return await client.config.serviceConfiguredEndpoint?.()
  } finally {
    client.destroy()
  }
}

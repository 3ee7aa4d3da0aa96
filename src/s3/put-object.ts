import type { Readable } from 'node:stream'
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { HttpRequest } from '@smithy/core/protocols'
import type { Body, ObjectParameters } from '../core/bucket.js'
import { withSignal } from './client.js'
import type { Sdk } from './sdk.js'
import type { Transport } from './transport.js'

interface Context {
  sdk: Sdk
  client: S3Client
  transport: Transport
}

export function putObjectInput(
  bucket: string,
  key: string,
  content: Buffer | Readable,
  { size, md5 }: Body,
  parameters: ObjectParameters,
): PutObjectCommandInput {
  return {
    ...parameters,
    Bucket: bucket,
    Key: key,
    Body: content,
    ContentLength: size,
    ContentMD5: Buffer.from(md5, 'hex').toString('base64'),
    // That MD5 is the checksum. Another one would have to come with it.
    ChecksumAlgorithm: undefined,
  }
}

/**
 * Sends what a PutObjectCommand would send, and returns the ETag. The rest of a command's pipeline takes three times the CPU time of signing and
 * sending.
 *
 * @param sha256 of the content, hex: then the signature covers it, of a stream too
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export async function putObject(
  context: Context,
  input: PutObjectCommandInput,
  sha256: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { sdk, client, transport } = context
  const request = await putObjectRequest(context, input)
  if (!request) return (await client.send(new sdk.PutObjectCommand(withSignal(input, signal)))).ETag
  if (sha256 !== undefined) request.headers['x-amz-content-sha256'] = sha256
  return (await transport.send(request, signal)).headers.etag
}

/** The request by the SDK's own serializer; undefined where this version of the SDK has it otherwise. */
export async function putObjectRequest(
  { sdk, client, transport }: Context,
  input: PutObjectCommandInput,
): Promise<HttpRequest | undefined> {
  const [, namespace, name, traits, fields, answer] = sdk.PutObject$ ?? []
  const { protocol } = client.config as unknown as { protocol?: Serializer }
  if (name !== 'PutObject' || typeof protocol?.serializeRequest !== 'function') return undefined
  const operation = { namespace, name, traits, input: fields, output: answer }
  return protocol.serializeRequest(operation, input, { ...client.config, endpoint: transport.endpoint })
}

interface Serializer {
  serializeRequest(operation: object, input: object, context: object): Promise<HttpRequest>
}

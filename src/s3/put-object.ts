import type { Readable } from 'node:stream'
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import type { HttpRequest } from '@smithy/core/protocols'
import type { Body, ObjectParameters } from '../core/bucket.js'
import type { Sdk } from './sdk.js'
import type { Transport } from './transport.js'

/**
 * The request that a PutObjectCommand would send, made by the SDK's own serializer. The rest of a command's pipeline takes three times the CPU
 * time of signing and sending, and ten times the garbage.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
 */
export async function putObjectRequest(
  { sdk, client, transport }: { sdk: Sdk; client: S3Client; transport: Pick<Transport, 'endpoint'> },
  bucket: string,
  key: string,
  content: Buffer | Readable,
  { size, md5, sha256 }: Body,
  parameters: ObjectParameters,
): Promise<HttpRequest> {
  const input: PutObjectCommandInput = {
    ...parameters,
    Bucket: bucket,
    Key: key,
    Body: content,
    ContentLength: size,
    ContentMD5: Buffer.from(md5, 'hex').toString('base64'),
    // That MD5 is the checksum. Another one would have to come with it.
    ChecksumAlgorithm: undefined,
  }
  const [, namespace, name, traits, fields, answer] = sdk.PutObject$
  const operation = { namespace, name, traits, input: fields, output: answer }
  const { protocol } = client.config as unknown as { protocol: Serializer }
  const request = await protocol.serializeRequest(operation, input, { ...client.config, endpoint: transport.endpoint })
  // Else the signer would hash a buffer once more, and leave a stream unsigned.
  if (sha256 !== undefined) request.headers['x-amz-content-sha256'] = sha256
  return request
}

interface Serializer {
  serializeRequest(operation: object, input: object, context: object): Promise<HttpRequest>
}

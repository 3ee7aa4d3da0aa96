export const bucket = 'bench'
export const location = 'static'

/** A tool's whole environment: none of the user's settings, credentials and proxies. */
export function environment(home: string, certificate?: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: home,
    LANG: 'C.UTF-8',
    AWS_ACCESS_KEY_ID: 'AKIDBENCH',
    AWS_SECRET_ACCESS_KEY: 'no-secret-at-all',
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(certificate === undefined ? {} : trusting(certificate)),
  }
}

/** Node; boto3 and the AWS command line; Go's programs. */
function trusting(certificate: string): Record<string, string> {
  return { NODE_EXTRA_CA_CERTS: certificate, AWS_CA_BUNDLE: certificate, SSL_CERT_FILE: certificate }
}

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
    // For Node and for Go's programs. The others have settings of their own.
    ...(certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate, SSL_CERT_FILE: certificate }),
  }
}

/** For boto3 and the AWS command line. rclone fails if it is set. */
export function awsBundle(certificate: string | undefined): Record<string, string> {
  return certificate === undefined ? {} : { AWS_CA_BUNDLE: certificate }
}

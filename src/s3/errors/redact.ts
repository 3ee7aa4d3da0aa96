/**
 * Key ids as AWS makes them
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids).
 */
const KEY_ID = /\b(?:ABIA|ACCA|AKIA|AROA|AIDA|ASIA)[A-Z0-9]{8,}\b/g
/** Parts of a signed request as S3's error texts and URLs quote them. */
const SIGNED = /\b((?:X-Amz-)?(?:Signature|Credential|Security-Token)|AWSAccessKeyId)\s*[=:]\s*[^\s,&<>"']+/gi
const SIGNATURE = /\b[0-9a-f]{64}\b/gi

/** Text from outside without key ids, signatures and tokens. `secrets` are those in use, whatever they look like. */
export function redact(text: string, secrets: readonly string[]): string {
  return redactSecrets(text, secrets).replace(SIGNED, '$1=***').replace(KEY_ID, '***').replace(SIGNATURE, '***')
}

/**
 * Text of our own without the secrets in use. Object keys stay readable, although a fingerprint may look like a
 * signature.
 */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((safe, secret) => (secret === '' ? safe : safe.replaceAll(secret, '***')), text)
}

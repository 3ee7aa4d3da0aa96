/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids */
const KEY_ID = /\b(?:ABIA|ACCA|AKIA|AROA|AIDA|ASIA)[A-Z0-9]{8,}\b/g
/** Parts of a signed request, as error messages and URLs quote them. */
const SIGNED = /\b((?:X-Amz-)?(?:Signature|Credential|Security-Token)|AWSAccessKeyId)\s*[=:]\s*[^\s,&<>"']+/gi
const SIGNATURE = /\b[0-9a-f]{64}\b/gi

/** Removes key ids, signatures, tokens and the secrets in use from foreign text. */
export function redact(text: string, secrets: readonly string[]): string {
  return redactSecrets(text, secrets).replace(SIGNED, '$1=***').replace(KEY_ID, '***').replace(SIGNATURE, '***')
}

/** For our own text: in an object's key, a fingerprint may look like a signature. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((safe, secret) => (secret === '' ? safe : safe.replaceAll(secret, '***')), text)
}

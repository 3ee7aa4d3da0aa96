/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids */
const KEY_ID = /\b(?:ABIA|ACCA|AKIA|AROA|AIDA|ASIA)[A-Z0-9]{8,}\b/g
/** Parts of a signed request, as error messages and URLs quote them. */
const SIGNED = /\b((?:X-Amz-)?(?:Signature|Credential|Security-Token)|AWSAccessKeyId)\s*[=:]\s*[^\s,&<>"']+/gi
const SIGNATURE = /\b[0-9a-f]{64}\b/gi

/** Removes key ids, signatures, tokens, the secrets in use, and the userinfo and queries of URLs from foreign text. */
export function redact(text: string, secrets: readonly string[]): string {
  return redactSecrets(text, secrets)
    .replace(SIGNED, '$1=***')
    .replace(KEY_ID, '***')
    .replace(SIGNATURE, '***')
    .replace(/[^\s"'<>]+/g, redactUrl)
}

/** For our own text, where a fingerprint in an object's key may look like a signature. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((safe, secret) => (secret === '' ? safe : safe.replaceAll(secret, '***')), text)
}

/** Removes userinfo and query, even from text that only resembles a URL, such as `http:/user:password@host`. */
export function redactUrl(text: string): string {
  const [userinfo = ''] = /^.*(@|%40)/is.exec(text) ?? []
  const bare = /:|\/\//.test(userinfo) ? `***@${text.slice(userinfo.length)}` : text
  const query = bare.indexOf('?')
  return query >= 0 && bare.includes('=', query) ? `${bare.slice(0, query)}?***` : bare
}

/** True for text that looks like an AWS access key: its id, or its secret of 40 random characters. */
export function resemblesKey(text: string): boolean {
  if (text.search(KEY_ID) >= 0) return true
  if (!/^[A-Za-z0-9+/]{40}$/.test(text)) return false
  // Words and hexadecimal hashes rarely change between upper case, lower case and digits.
  const kinds = text
    .replace(/[a-z]+/g, 'a')
    .replace(/[A-Z]+/g, 'A')
    .replace(/\d+/g, '0')
  return kinds.length > 15 && /a/.test(kinds) && /A/.test(kinds)
}

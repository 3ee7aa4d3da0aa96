import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../../fixtures/error-of.js'
import { anyText, cases, hang, oddText, patience } from '../../fixtures/fuzz/chance.js'
import { type OneAnswer, withOneAnswer } from '../../fixtures/s3/one-answer.js'
import { StaticS3Error } from '../../src/runtime/error.js'

const secrets = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY',
  sessionToken: 'IQoJb3Jp',
}
const answering = withOneAnswer(secrets)

describe('an answer that is no success', () => {
  const isReported = (error: Error | undefined) => {
    if (error === undefined) return
    expect(error).toBeInstanceOf(StaticS3Error)
    expect(error.message).toMatch(/^static-s3: (LIST|GET) s3:\/\/bucket\/static\/[^\p{Cc}]*\.$/u)
    expect(error.message).not.toMatch(/undefined|\[object|NaN/)
    expect(error.message.length).toBeLessThan(1500)
    const shown = `${error.message}\n${error.stack}\n${inspect(error.cause, { depth: 10 })}`
    for (const secret of Object.values(secrets)) expect(shown).not.toContain(secret)
  }

  const check = (answer: OneAnswer) =>
    answering(answer, async ({ bucket }) => {
      const listed = await errorOf(bucket.list('static/'))
      expect(listed).toBeDefined()
      isReported(listed)
      isReported(await errorOf(bucket.get('static/a')))
    })

  const code = fc.oneof(
    fc.constantFrom(
      ...['AccessDenied', 'NoSuchKey', 'NoSuchBucket', 'SlowDown', 'PermanentRedirect', 'RequestTimeTooSkewed'],
    ),
    fc.constantFrom(
      'AuthorizationHeaderMalformed',
      'ExpiredToken',
      'InvalidRequest',
      'KMS.DisabledException',
      'NotFound',
    ),
    fc.constantFrom(
      ...['constructor', 'toString', '__proto__', 'hasOwnProperty', 'Error', 'UnknownError', '', '\n', '\u001b[31m'],
    ),
    anyText,
  )
  const word = fc.oneof(
    anyText,
    fc.constantFrom(
      ...Object.values(secrets),
      ...['Signature=abc', '\u001b[2J', '\n    at ', '%s', 'on resource: "', '\r\n'],
    ),
    fc.constantFrom('not authorized to perform: s3:GetObject', 'because no identity-based policy allows the', 'sts:'),
  )
  const sentence = fc.array(word, { maxLength: 4 }).map((words) => words.join(' '))
  const fieldName = fc.constantFrom(
    ...['Region', 'Endpoint', 'RequestTime', 'ServerTime', 'RequestId', 'HostId', 'BucketName', 'Key', 'name'],
    ...['message'],
    ...['stack', 'cause', 'code', 'errors', 'hostname', 'address', 'status', '__proto__', 'constructor', 'toString'],
    ...['$metadata', 'errnoCode', 'Message', 'Code'],
  )
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const document = fc
    .tuple(code, sentence, fc.array(fc.tuple(fieldName, sentence), { maxLength: 4 }))
    .map(([Code, Message, fields]) => [['Code', Code], ['Message', Message], ...fields] as const)
    .map(
      (fields) =>
        `<Error>${fields.map(([name, text]) => `<${name}>${escaped(text ?? '')}</${name}>`).join('')}</Error>`,
    )
  const body = fc.oneof(
    { weight: 3, arbitrary: document },
    { weight: 1, arbitrary: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
    { weight: 1, arbitrary: oddText('<Error>', '<Code>', '</Code>', '<Message>', '</Message>', '<!--', '<html>', '&') },
  )
  const status = fc.oneof(
    fc.constantFrom(200, 204, 301, 302, 307, 304, 400, 401, 403, 404, 405, 408, 412, 429, 500, 501, 502, 503, 505),
    fc.integer({ min: 200, max: 999 }),
  )
  const ascii = fc.string({ unit: 'grapheme-ascii' })
  const headers = fc.record(
    {
      'retry-after': fc.oneof(fc.nat().map(String), ascii, fc.constant('1e400')),
      date: fc.oneof(ascii, fc.constantFrom('Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 9999 23:59:59 GMT')),
      'x-amz-request-id': fc.oneof(ascii, fc.constantFrom(...Object.values(secrets), 'x'.repeat(5000))),
      'x-amz-bucket-region': fc.oneof(ascii, fc.constantFrom('eu-central-1', 'us-east-1')),
      'content-type': fc.constantFrom('text/html', 'application/xml', 'application/json'),
      location: ascii,
    },
    { requiredKeys: [] },
  )

  it(
    'is reported in one line without secrets, whatever it says',
    async () => {
      const answer = fc.record({ status, headers, body })
      await fc.assert(fc.asyncProperty(answer, check), cases(250))
    },
    patience,
  )

  const error = (code: string, message: string, more = '') =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`

  it.each<[what: string, answer: OneAnswer]>([
    ['a code with the name of a property of every object', { status: 400, body: error('constructor', 'no') }],
    ['a code that is no property', { status: 400, body: error('__proto__', 'no') }],
    ['a secret for a code', { status: 400, body: error(secrets.accessKeyId, 'no') }],
    ['a code of many lines', { status: 400, body: error('a\nb\nc', 'no') }],
    ['a code for terminals', { status: 400, body: error('\u001b[31mred', 'no') }],
    ['a long code', { status: 400, body: error('x'.repeat(100_000), 'no') }],
    [
      'a long request id',
      { status: 500, body: error('InternalError', 'no', `<RequestId>${'x'.repeat(9999)}</RequestId>`) },
    ],
    ['a message for terminals', { status: 400, body: error('InvalidRequest', '\u001b[2J\u0007\u009b31m') }],
    [
      'a resource of many lines',
      { status: 403, body: error('AccessDenied', 'not authorized to perform: s3:GetObject on resource: "a"') },
    ],
    [
      'a message that looks like a stack',
      { status: 403, body: error('AccessDenied', `no\n    at ${secrets.secretAccessKey}`) },
    ],
    [
      'a long resource',
      {
        status: 403,
        body: error('AccessDenied', `not authorized to perform: s3:Get on resource: "${'x'.repeat(9999)}"`),
      },
    ],
    ['a stack', { status: 400, body: error('Bad', 'no', `<stack>    at ${secrets.secretAccessKey}</stack>`) }],
    [
      'a host name of its own',
      { status: 400, body: error('ENOTFOUND', 'no', `<hostname>${'x\n'.repeat(999)}</hostname>`) },
    ],
    ['an error code of the network', { status: 400, body: error('Bad', 'no', '<code>ECONNREFUSED</code>') }],
  ])('is reported in one line without secrets: %s', (_what, answer) => check(answer))

  const size = 60_000
  it.each([
    ...[' ', '\n', 'because no ', 'because no a', 'with an explicit deny in a', 'Signature', 'Signature =', 'a='],
    ...['AKIA', 'AKIAAAAA', 'on resource: ', 'not authorized to perform: ', '0123456789abcdef', 'expecting &apos;'],
    ...['.s3.'],
    ...['<Code>', '<a>', '<!--', '<![CDATA[', '<?a?>', '&', '</Message><Message>'],
  ])(
    'of nothing but %j is reported in its time',
    async (piece) => {
      const text = piece.repeat(Math.ceil(size / piece.length))
      const began = performance.now()
      await check({ status: 403, body: error('AccessDenied', text, `<Endpoint>${text}</Endpoint>`) })
      await check({ status: 400, body: error('PermanentRedirect', `${text}.`, `<Endpoint>${text}</Endpoint>`) })
      await check({ status: 400, body: `<?a?>${text}` })
      expect(performance.now() - began).toBeLessThan(hang)
    },
    2 * hang,
  )
})

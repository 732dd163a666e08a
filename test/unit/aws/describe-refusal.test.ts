import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { describeRefusal } from '../../../lib/aws/describe-refusal.ts'

const test = suite('aws: refusal')

const CALL = { action: 'give a login', region: 'eu-central-1' }
const NOW = Date.parse('2026-03-01T12:00:00Z')
const DATE = new Date(NOW).toUTCString()

const ecrSays = (code: string, message: string) =>
  JSON.stringify({ __type: `com.amazonaws.ecr#${code}`, message })

test('code and reason are read from the JSON of ECR and the XML of STS', () => {
  const json = ecrSays('AccessDeniedException', 'no identity-based policy allows it')
  const xml =
    '<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The token is invalid.</Message></Error></ErrorResponse>'

  const fromEcr = describeRefusal(CALL, { status: 400, date: DATE, text: json }, NOW)
  const fromSts = describeRefusal(CALL, { status: 403, date: DATE, text: xml }, NOW)

  assert.is(
    fromEcr.message,
    'AWS refused to give a login in eu-central-1: AccessDeniedException: no identity-based policy allows it (HTTP 400)',
  )
  assert.match(fromEcr.hint, 'ecr:GetAuthorizationToken')
  assert.is(
    fromSts.message,
    'AWS refused to give a login in eu-central-1: InvalidClientTokenId: The token is invalid. (HTTP 403)',
  )
  assert.match(fromSts.hint, 'AWS_ACCESS_KEY_ID')
})

test('only the first line of a reason is told: the others repeat what was signed', () => {
  const text = ecrSays('InvalidSignatureException', 'No match.\n\nx-amz-security-token:s3cret')

  const { message } = describeRefusal(CALL, { status: 400, date: DATE, text }, NOW)

  assert.match(message, 'No match. (HTTP 400)')
  assert.not.match(message, 's3cret')
})

test('what passes by itself is told from what stays', () => {
  const passes = (status: number, code: string) =>
    describeRefusal(CALL, { status, date: DATE, text: ecrSays(code, '') }, NOW).transient

  assert.is(passes(400, 'ThrottlingException'), true)
  assert.is(passes(429, ''), true)
  assert.is(passes(503, 'ServerException'), true)
  assert.is(passes(400, 'ExpiredTokenException'), false)
})

test('a clock is blamed when it is more than five minutes off, or nearly so', () => {
  const text = ecrSays('InvalidSignatureException', 'Signature expired')
  const at = (offMs: number) =>
    describeRefusal(CALL, { status: 400, date: DATE, text }, NOW + offMs).message

  assert.match(at(600_000), 'The clock of this host is 10 minutes ahead of that of AWS')
  assert.match(at(-295_000), 'The clock of this host is 5 minutes behind that of AWS')
  assert.not.match(at(120_000), 'clock')
})

test('an answer without a date or a reason is told as it is', () => {
  const { message, hint } = describeRefusal(CALL, { status: 403, date: '', text: '<html>' }, NOW)

  assert.is(message, 'AWS refused to give a login in eu-central-1: no reason given (HTTP 403)')
  assert.match(hint, 'AWS_REGION')
})

test.run()

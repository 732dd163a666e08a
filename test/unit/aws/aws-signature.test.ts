/** The tests' own check of signatures, held against the example AWS has published. */

import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { expectedSignature, parseAuthorization } from '../../helpers/aws-signature.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const SIGNATURE = '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7'
const EXAMPLE = {
  method: 'GET',
  url: '/?Action=ListUsers&Version=2010-05-08',
  headers: {
    host: 'iam.amazonaws.com',
    'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
    'x-amz-date': '20150830T123600Z',
    authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=${SIGNATURE}`,
  },
  body: '',
}

const test = suite('aws: the check of signatures')

test('the example of the AWS documentation passes', () => {
  const authorization = parseAuthorization(EXAMPLE.headers.authorization)

  assert.ok(authorization)
  assert.is(expectedSignature(EXAMPLE, authorization, SECRET), SIGNATURE)
})

test('another secret, time, body or region is another signature', () => {
  const authorization = parseAuthorization(EXAMPLE.headers.authorization)
  assert.ok(authorization)
  const headers = { ...EXAMPLE.headers, 'x-amz-date': '20150830T123601Z' }

  const others = [
    expectedSignature(EXAMPLE, authorization, 'other'),
    expectedSignature({ ...EXAMPLE, headers }, authorization, SECRET),
    expectedSignature({ ...EXAMPLE, body: 'x' }, authorization, SECRET),
    expectedSignature(EXAMPLE, { ...authorization, region: 'eu-central-1' }, SECRET),
  ]

  assert.is(new Set([SIGNATURE, ...others]).size, 5)
})

test.run()

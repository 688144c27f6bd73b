import { expect, it } from 'vitest'
import { describeError } from './describe-cause.ts'

it('an error of OpenSSL is told by its code, since its message is about the source code of OpenSSL', () => {
  const tls = Object.assign(new Error('406D:error:0A00010B:SSL routines:wrong version number:../ssl/record.c:77:'), {
    code: 'ERR_SSL_WRONG_VERSION_NUMBER',
  })
  expect(describeError(tls)).toBe('ERR_SSL_WRONG_VERSION_NUMBER')
  expect(describeError(new Error('fetch failed', { cause: tls }))).toBe('fetch failed: ERR_SSL_WRONG_VERSION_NUMBER')
})

it('an error of several addresses, which has no message, is told by its code', () => {
  expect(describeError(Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED')
})

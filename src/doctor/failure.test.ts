import { expect, it } from 'vitest'
import { explainFailure } from './failure.ts'

const failureOf = (code: string, message: string) => explainFailure(Object.assign(new Error(message), { code }))

it('a name of Docker Desktop that is not known is told how to make known', () => {
  const { fix } = failureOf('ENOTFOUND', 'getaddrinfo ENOTFOUND host.docker.internal')
  expect(fix).toMatch(/--add-host host\.docker\.internal:host-gateway/)
  expect(failureOf('ENOTFOUND', 'getaddrinfo ENOTFOUND mcp.example.com').fix).toMatch(/correct the host name/)
})

it('a port where TLS is not spoken is told without the source code of OpenSSL', () => {
  const found = failureOf('ERR_SSL_WRONG_VERSION_NUMBER', '40:error:0A:SSL routines:wrong version number:../ssl/record.c:77:')
  expect(found).toMatchObject({ reason: 'ERR_SSL_WRONG_VERSION_NUMBER', fix: expect.stringMatching(/write http/) })
})

it('a reason goes into a sentence, so it has no full stop', () => {
  expect(failureOf('X', 'The server is busy.').reason).toBe('The server is busy')
})

// A load balancer sends the requests of many users over the connections that it keeps. The rest of a stranger's request must not block one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BrokerStage, startBrokerStage } from '../support/broker-stage.ts'
import { startTestProxy, type TestProxy } from '../support/proxy.ts'
import { openRawConnection, type RawConnection } from '../support/raw-client.ts'

let stage: BrokerStage
let rewriting: TestProxy

beforeAll(async () => {
  stage = await startBrokerStage()
  const { issuer } = stage.identityProvider
  const endpoints = { authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` }
  rewriting = await startTestProxy({
    issuers: [issuer],
    rewrite: { issuer, ...endpoints, registration_endpoint: `${issuer}/reg` },
    servers: [{ path: '/mcp', upstream: 'http://127.0.0.1:1/mcp' }],
  })
})
afterAll(async () => {
  await rewriting.close()
  await stage.close()
})

const LENGTH = 200_000
const text = 'a'.repeat(LENGTH)

interface Body {
  readonly field: string
  readonly bytes: string
}

const ANNOUNCED: Body = { field: `Content-Length: ${LENGTH}`, bytes: text }
const CHUNKED: Body = {
  field: 'Transfer-Encoding: chunked',
  bytes: `${LENGTH.toString(16)}\r\n${text}\r\n0\r\n\r\n`,
}

async function post({ port }: TestProxy, path: string, { field, bytes }: Body): Promise<RawConnection> {
  const connection = await openRawConnection(port)
  const type = path === '/register' ? 'application/json' : 'application/x-www-form-urlencoded'
  connection.write(`POST ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Type: ${type}\r\n${field}\r\n\r\n${bytes}`)
  return connection
}

const ENDPOINTS = [
  '/authorize',
  '/sign-in/AAAAAAAAAAAAAAAAAAAAA',
  '/oauth/backchannel-logout',
  '/token',
  '/revoke',
  '/introspect',
  '/register',
]

describe.each([
  ['of a length that it says', ANNOUNCED],
  ['in chunks', CHUNKED],
])('after a body %s that is too long, the next request on the same connection is answered', (_, body) => {
  it.each(ENDPOINTS)('%s', async (path) => {
    const connection = await post(stage.proxy, path, body)
    expect((await connection.readResponse()).status).toBeGreaterThanOrEqual(400)
    connection.write(`GET /healthz HTTP/1.1\r\nHost: localhost:${stage.proxy.port}\r\n\r\n`)
    expect((await connection.readResponse()).status).toBe(200)
    connection.destroy()
  })
})

describe.each([
  ['of a length that it says', ANNOUNCED],
  ['in chunks', CHUNKED],
])('a body %s that is too long for an endpoint of rewrite', (_, body) => {
  it.each(['/token', '/register'])('is refused, and ends its connection: %s', async (path) => {
    const connection = await post(rewriting, path, body)
    expect((await connection.readResponse()).status).toBe(413)
    await connection.closed
  })
})

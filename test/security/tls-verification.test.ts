import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import { createSafeFetch } from '../../src/oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { connectNode } from '../../src/store/redis-node.ts'
import { createHttpUpstream } from '../../src/upstream/http-upstream.ts'
import { createCertificate } from '../support/certificate.ts'
import { openGate } from '../support/gate.ts'

const certificate = createCertificate()
let server: Server
let url: string
let requests: number

beforeEach(async () => {
  requests = 0
  server = createServer(certificate, (_request, response) => {
    requests += 1
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"jsonrpc":"2.0","id":1,"result":{}}')
  })
  url = `https://localhost:${await listenOnLoopback(server, 0)}/mcp`
  // What switches verification off in Node for whoever does not say otherwise.
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await closeServer(server)
})

async function callUpstream(ca: string | undefined): Promise<number> {
  const plan = {
    kind: 'http' as const,
    url,
    socket: undefined,
    headers: {},
    connectSeconds: 5,
    responseSeconds: 5,
    heartbeatSeconds: 0,
    followSlashRedirects: false,
    ca,
    egress: DIRECT,
  }
  const gate = await openGate({ streamable_http: createHttpUpstream(plan) }, { upstreamUrl: url })
  const response = await fetch(`${gate.origin}/mcp`, {
    method: 'POST',
    headers: { authorization: 'Bearer alice', 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  })
  await gate.close()
  return response.status
}

async function askIssuer(ca: string | undefined): Promise<string> {
  const outboundFetch = createSafeFetch({
    issuer: new URL(url).origin,
    allowPrivateNetwork: true,
    ca,
    egress: DIRECT,
  } as Parameters<typeof createSafeFetch>[0])
  try {
    const { status } = await outboundFetch.fetchRaw(url, { method: 'GET', namedBy: 'operator' })
    return String(status)
  } catch {
    return 'refused'
  } finally {
    await outboundFetch.close()
  }
}

/** What a server gets that claims to be Redis, and leaves after that. */
async function askRedis(ca: string | undefined): Promise<string> {
  let got = ''
  const redis = createTlsServer(certificate, (socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      got += bytes.toString()
      socket.destroy()
    })
  })
  await new Promise<void>((resolve) => void redis.listen(0, '127.0.0.1', resolve))
  const { port } = redis.address() as AddressInfo
  const tls = { ca, cert: undefined, key: undefined, serverName: undefined }
  const access = { user: { username: undefined, password: 'the-password' }, tls, at: 'store' }
  await expect(connectNode({ host: 'localhost', port }, access, { clock: systemClock, milliseconds: 5000 })).rejects.toThrow()
  await new Promise((resolve) => void redis.close(resolve))
  return got
}

describe('a peer with a certificate of an untrusted authority gets no request, whatever the environment says of verification', () => {
  it('an upstream', async () => {
    expect(await callUpstream(undefined)).toBe(502)
    expect(requests).toBe(0)
    expect(await callUpstream(certificate.cert)).toBe(200)
  })

  it('an issuer', async () => {
    expect(await askIssuer(undefined)).toBe('refused')
    expect(requests).toBe(0)
    expect(await askIssuer(certificate.cert)).toBe('200')
  })

  it('a Redis server', async () => {
    expect(await askRedis(undefined)).toBe('')
    expect(await askRedis(certificate.cert)).toContain('the-password')
  })
})

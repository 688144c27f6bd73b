import { createServer, type Server } from 'node:https'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DIRECT } from '../../src/core/plan/egress-plan.ts'
import { createSafeFetch } from '../../src/oauth/safe-fetch.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
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
})

import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { startClientMetadataServer } from './client-metadata.ts'
import { startEverythingServer } from './everything-server.ts'
import { captureLog, findSecrets } from './log.ts'
import { openRawConnection, sendRaw } from './raw-client.ts'
import { answerJson, controlStream, startRawUpstream, startRecordingUpstream } from './recording-upstream.ts'
import { slowFiles } from './slow-files.ts'
import { startIssuer } from './tokens.ts'

function listOtherAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? [])
  return addresses.map(({ address }) => address).filter((address) => address !== '127.0.0.1')
}

describe('the everything server', () => {
  it.each([
    ['sse', SSEClientTransport],
    ['streamableHttp', StreamableHTTPClientTransport],
  ] as const)('serves %s on 127.0.0.1 alone and is gone after close', async (name, Transport) => {
    const server = await startEverythingServer(name)
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(new Transport(new URL(server.url)) as never)
    const { tools } = await client.listTools()
    expect(tools.map((tool) => tool.name)).toContain('echo')
    await client.close()
    for (const address of listOtherAddresses()) await expect(openRawConnection(server.port, address)).rejects.toThrow()
    await server.close()
    await expect(fetch(server.url)).rejects.toThrow()
  })
})

describe('the recording upstream', () => {
  it('keeps requests, bodies and bytes as they came', async () => {
    const upstream = await startRecordingUpstream(answerJson({ ok: true }, 201))
    const response = await sendRaw(upstream.port, 'POST /a?b HTTP/1.1\r\nHOST: x\r\nx-A:  1 \r\nContent-Length: 2\r\n\r\n{}')
    expect(response.status).toBe(201)
    expect(response.body.toString()).toBe('{"ok":true}')
    const request = await upstream.waitForRequest(0)
    expect(request.url).toBe('/a?b')
    expect(request.rawHeaders).toEqual(['HOST', 'x', 'x-A', '1', 'Content-Length', '2'])
    expect((await request.body).toString()).toBe('{}')
    expect(upstream.connections[0]?.toString()).toContain('x-A:  1 \r\n')
    await upstream.close()
  })

  it('streams events when the test says so, and learns when the reader goes away', async () => {
    const stream = controlStream()
    const upstream = await startRecordingUpstream(stream.answer)
    const connection = await openRawConnection(upstream.port)
    connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect((await connection.readHead()).header('content-type')).toBe('text/event-stream')
    await stream.send('data: 1\n\n')
    await connection.waitFor('data: 1\n\n')
    await stream.send('data: 2\n\n')
    await connection.waitFor('data: 2\n\n')
    connection.destroy()
    await (await upstream.waitForRequest(0)).aborted
    await upstream.close()
  })

  it('answers with any bytes at all', async () => {
    const upstream = await startRawUpstream('HTTP/1.1 299 Odd\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n')
    const response = await sendRaw(upstream.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    expect([response.status, response.reason, response.body.toString()]).toEqual([299, 'Odd', 'abc'])
    await upstream.close()
  })
})

describe('the issuer', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])(
    'mints %s tokens that its published keys verify, before and after a rotation',
    async (algorithm) => {
      const issuer = await startIssuer({ algorithm })
      const keys = createRemoteJWKSet(new URL(issuer.jwksUri))
      const first = await issuer.mint()
      await jwtVerify(first, keys, { issuer: issuer.issuer, typ: 'at+jwt' })
      await issuer.rotate({ dropOld: true })
      const fresh = createRemoteJWKSet(new URL(issuer.jwksUri))
      await jwtVerify(await issuer.mint({ claims: { sub: undefined } }), fresh)
      await expect(jwtVerify(first, fresh)).rejects.toThrow()
      await issuer.close()
    },
  )

  it('leaves out and replaces claims and header members', async () => {
    const issuer = await startIssuer({ algorithm: 'ES256', path: '/tenant', discovery: 'openid-appended' })
    const token = await issuer.mint({ claims: { exp: undefined, aud: ['a', 'b'] }, header: { typ: 'JWT', kid: undefined } })
    expect(decodeJwt(token)).not.toHaveProperty('exp')
    expect(decodeJwt(token).aud).toEqual(['a', 'b'])
    const metadata = await fetch(`${issuer.issuer}/.well-known/openid-configuration`)
    expect(await metadata.json()).toMatchObject({ issuer: issuer.issuer, jwks_uri: issuer.jwksUri })
    expect(issuer.requests).toEqual(['/tenant/.well-known/openid-configuration'])
    await issuer.close()
  })

  it('goes down in many ways and comes back', async () => {
    const issuer = await startIssuer({ algorithm: 'ES256' })
    await issuer.setOutage('refuse')
    await expect(fetch(issuer.jwksUri)).rejects.toThrow()
    await issuer.setOutage('error')
    expect((await fetch(issuer.jwksUri)).status).toBe(503)
    await issuer.setOutage('html')
    expect((await fetch(issuer.jwksUri)).headers.get('content-type')).toBe('text/html')
    await issuer.setOutage('drip')
    const dripping = await fetch(issuer.jwksUri)
    expect(dripping.status).toBe(200)
    await dripping.body?.cancel()
    await issuer.setOutage('none')
    expect((await fetch(issuer.jwksUri)).status).toBe(200)
    await issuer.close()
  })
})

describe('the client metadata server', () => {
  it('serves the document over TLS to clients that trust its certificate', async () => {
    const server = await startClientMetadataServer({ client_name: 'Test' })
    const response = await server.fetch(server.clientId)
    expect(await response.json()).toEqual({ client_name: 'Test', client_id: server.clientId })
    await expect(fetch(server.clientId)).rejects.toThrow()
    expect(server.fetches()).toBe(1)
    await server.close()
  })
})

describe('the captured log', () => {
  it('finds records and traces of secrets', async () => {
    const log = captureLog()
    const waiting = log.waitFor(({ level }) => level === 'warn')
    log.stream.write('{"level":"info"}\n{"level":"warn","token":"eyJhbGciOi.payload-payload.signature"}\n')
    expect(await waiting).toMatchObject({ level: 'warn' })
    expect(findSecrets(log.text(), ['eyJhbGciOi.payload-payload.other-signature'])).toEqual(['payload-payload'])
    expect(findSecrets(log.text(), ['another-secret-text'])).toEqual([])
  })
})

describe('the list of slow files', () => {
  it('names files that are there, so that none falls out of every suite', () => {
    expect(slowFiles.filter((file) => !existsSync(file))).toEqual([])
  })
})

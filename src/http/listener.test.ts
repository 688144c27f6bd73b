import { once } from 'node:events'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { type Listener, listen } from './listener.ts'

let listener: Listener
const certificate = createCertificate()

beforeAll(async () => {
  listener = await listen({
    listen: { host: '127.0.0.1', port: 0, tls: certificate } as unknown as Parameters<typeof listen>[0]['listen'],
    headersSeconds: 10,
    stalledSeconds: 10,
    handler: (_request, response) => void response.end('served'),
    onUnreadable: () => undefined,
  })
})
afterAll(async () => {
  const closed = listener.close()
  listener.closeAll()
  await closed
})

function open(version: SecureVersion): TLSSocket {
  return connect({
    port: listener.port,
    host: '127.0.0.1',
    ca: certificate.cert,
    servername: 'localhost',
    minVersion: version,
    maxVersion: version,
    // Old versions are possible on the client's side at this level only.
    ciphers: 'DEFAULT@SECLEVEL=0',
  })
}

describe('a listener with TLS', () => {
  it.each<SecureVersion>(['TLSv1', 'TLSv1.1'])('refuses %s for its version (RFC 8996)', async (version) => {
    const socket = open(version)
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
  })

  it.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])('serves with %s', async (version) => {
    const socket = open(version)
    await once(socket, 'secureConnect')
    expect(socket.getProtocol()).toBe(version)
    socket.destroy()
  })
})

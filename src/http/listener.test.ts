import { once } from 'node:events'
import tls, { type SecureVersion, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCertificate } from '../../test/support/certificate.ts'
import { type Listener, listen } from './listener.ts'

let listener: Listener
const certificate = createCertificate()
const ciphers = tls.DEFAULT_CIPHERS

beforeAll(async () => {
  // OpenSSL takes old versions at this level only: on a machine that is configured so, nothing but our own setting refuses them.
  tls.DEFAULT_CIPHERS = 'DEFAULT@SECLEVEL=0'
  listener = await listen({
    listen: { host: '127.0.0.1', port: 0, tls: certificate } as unknown as Parameters<typeof listen>[0]['listen'],
    headersSeconds: 10,
    stalledSeconds: 10,
    handler: (_request, response) => void response.end('served'),
    onUnreadable: () => undefined,
  })
})
afterAll(async () => {
  tls.DEFAULT_CIPHERS = ciphers
  const closed = listener.close()
  listener.closeAll()
  await closed
})

function open(version: SecureVersion): TLSSocket {
  return tls.connect({
    port: listener.port,
    host: '127.0.0.1',
    ca: certificate.cert,
    servername: 'localhost',
    minVersion: version,
    maxVersion: version,
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

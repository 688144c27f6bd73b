import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls, { type SecureVersion, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
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

it.runIf(process.platform === 'linux')(
  'a connection on which nothing moves is asked now and then whether its client is there',
  async () => {
    const socket = net.connect(listener.port, '127.0.0.1')
    await once(socket, 'connect')
    const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
    const find = () =>
      readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .find(
          ([, local, remote]) => local?.endsWith(`:${hex(listener.port)}`) && remote?.endsWith(`:${hex(socket.localPort ?? 0)}`),
        )
    // Timer 2 is that of keep-alive (proc_net_tcp.txt of the Linux kernel), in hundredths of a second.
    const [timer, left] = (await vi.waitUntil(() => find()?.[5]?.startsWith('02') && find()?.[5])).split(':')
    expect(timer).toBe('02')
    expect(Number.parseInt(left ?? '', 16)).toBeLessThanOrEqual(1000)
    socket.destroy()
  },
)

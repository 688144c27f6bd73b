import { isIP } from 'node:net'
import { connect, type PeerCertificate } from 'node:tls'

const DEADLINE_MS = 5_000

/**
 * When a server's certificate expires. It is verified with the authorities of this machine, for the URL's host.
 *
 * @param url - https URL
 * @returns milliseconds since the epoch
 * @throws Error with the code of node:tls when it does not verify, or when there is no answer within 5 s
 */
export function fetchCertificateEnd(url: string): Promise<number> {
  const { hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(port || 443),
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: true,
    })
    const timer = setTimeout(
      () => socket.destroy(new Error(`${host}: no TLS connection within ${DEADLINE_MS / 1000} s`)),
      DEADLINE_MS,
    )
    socket.once('secureConnect', () => {
      const { valid_to: end }: PeerCertificate = socket.getPeerCertificate()
      socket.end()
      resolve(Date.parse(end))
    })
    // There may be several errors, the last of them after the promise has settled.
    socket.on('error', reject)
    socket.once('close', () => clearTimeout(timer))
  })
}

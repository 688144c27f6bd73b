import { TLSSocket } from 'node:tls'
import type { EgressPlan } from '../core/plan/egress-plan.ts'
import { createEgressConnector } from '../egress/connector.ts'

const DEADLINE_MS = 5_000

/**
 * When a server's certificate expires. It is verified with the authorities of this machine, for the URL's host.
 *
 * @param url - https URL
 * @param egress - how it is reached
 * @returns milliseconds since the epoch
 * @throws Error with the code of node:tls when it does not verify, or when there is no answer within 5 s
 */
export function fetchCertificateEnd(url: string, egress: EgressPlan): Promise<number> {
  const { protocol, hostname, host, port } = new URL(url)
  const connect = createEgressConnector({ egress, ca: undefined, timeoutMs: DEADLINE_MS })
  return new Promise((resolve, reject) => {
    connect({ protocol, hostname: hostname.replace(/^\[|\]$/g, ''), host, port }, (...[error, socket]) => {
      if (error !== null) return reject(error)
      const end = socket instanceof TLSSocket ? socket.getPeerCertificate().valid_to : ''
      socket.end()
      resolve(Date.parse(end))
    })
  })
}
